#include "app/process/control_server.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>

#include "app/process/control_client.h"
#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

using base::ErrorCode;

struct Recorder {
  ControlServer* server = nullptr;
  uint64_t deferred = 0;  // the client of an "upgrade" that waits

  ControlCallbacks callbacks() {
    ControlCallbacks callbacks;
    callbacks.on_command = [this](const ControlRequest& request) {
      if (request.command == ControlCommand::status) {
        server->reply(request.client, R"({"ok":true,"argument":")" + std::string(request.argument) + R"("})");
      } else if (request.command == ControlCommand::upgrade) {
        deferred = request.client;
      } else if (request.command == ControlCommand::reload && deferred != 0) {
        const bool sent = server->reply(deferred, R"({"ok":true,"pid":7})");
        server->reply(request.client, sent ? R"({"ok":true})" : R"({"ok":false})");
      } else {
        server->reply(request.client, std::string(kPacketBytesMax, ' '));
      }
    };
    callbacks.on_takeover = [](pid_t) { return base::fail(ErrorCode::unsupported, "not in this test"); };
    callbacks.on_successor_ready = [](pid_t) { ADD_FAILURE(); };
    callbacks.on_handed_over = [](pid_t) { ADD_FAILURE(); };
    callbacks.on_takeover_abandoned = [](pid_t) { ADD_FAILURE(); };
    return callbacks;
  }

  std::unique_ptr<ControlServer> listen(const std::string& directory) {
    auto result = ControlServer::listen(directory, callbacks());
    EXPECT_TRUE(result) << result.error().context;
    EXPECT_TRUE((*result)->publish());
    server = result->get();
    return std::move(*result);
  }
};

FileDescriptor connect_to(const TemporaryDirectory& directory) {
  auto socket = connect_unix(directory.path(), kControlSocketName, base::real_now() + kPatience);
  EXPECT_TRUE(socket);
  return std::move(*socket);
}

std::string receive(const FileDescriptor& socket) {
  auto packet = receive_packet(socket.get(), base::real_now() + kPatience);
  return packet ? packet->text : std::string(base::to_string(packet.error().code));
}

TEST(ControlServer, AnswersACommandWithItsArgument) {
  TemporaryDirectory directory;
  Recorder recorder;
  ServerThread server(recorder.listen(directory.path()));
  EXPECT_EQ(control_call(directory.path(), "status", kPatience), R"({"ok":true,"argument":""})");
  EXPECT_EQ(control_call(directory.path(), "status a b\n", kPatience), R"({"ok":true,"argument":"a b"})");
}

TEST(ControlServer, AnAnswerMayBeAsLongAsTheLimit) {
  TemporaryDirectory directory;
  Recorder recorder;
  ServerThread server(recorder.listen(directory.path()));
  EXPECT_EQ(control_call(directory.path(), "stop", kPatience)->size(), kPacketBytesMax);
}

TEST(ControlServer, AnAnswerMayComeLater) {
  TemporaryDirectory directory;
  Recorder recorder;
  auto server = recorder.listen(directory.path());
  const FileDescriptor waiting = connect_to(directory);
  ASSERT_TRUE(send_packet(waiting.get(), "upgrade"));
  server->on_ready();
  ASSERT_NE(recorder.deferred, 0u);
  const FileDescriptor other = connect_to(directory);
  ASSERT_TRUE(send_packet(other.get(), "reload"));
  server->on_ready();
  EXPECT_EQ(receive(waiting), R"({"ok":true,"pid":7})");
  EXPECT_EQ(receive(other), R"({"ok":true})");
  EXPECT_EQ(receive(waiting), "closed");
  EXPECT_EQ(server->clients(), 0u);
}

TEST(ControlServer, AClientThatLeftGetsNoAnswer) {
  TemporaryDirectory directory;
  Recorder recorder;
  auto server = recorder.listen(directory.path());
  {
    const FileDescriptor leaving = connect_to(directory);
    ASSERT_TRUE(send_packet(leaving.get(), "upgrade"));
    server->on_ready();
  }
  server->on_ready();
  EXPECT_EQ(server->clients(), 0u);
  const FileDescriptor other = connect_to(directory);
  ASSERT_TRUE(send_packet(other.get(), "reload"));
  server->on_ready();
  EXPECT_EQ(receive(other), R"({"ok":false})");
}

TEST(ControlServer, WhatIsNoCommandIsRefused) {
  TemporaryDirectory directory;
  Recorder recorder;
  ServerThread server(recorder.listen(directory.path()));
  for (const std::string& command : {std::string("restart"), std::string(" status"), std::string("\n"),
                                     std::string(kControlRequestBytesMax + 1, 's'), std::string("ready")}) {
    auto answer = control_call(directory.path(), command, kPatience);
    ASSERT_TRUE(answer) << command;
    EXPECT_TRUE(answer->starts_with(R"({"ok":false,"error":")")) << *answer;
  }
}

TEST(ControlServer, SilentClientsMakeRoomForOthers) {
  TemporaryDirectory directory;
  Recorder recorder;
  auto server = recorder.listen(directory.path());
  std::vector<FileDescriptor> silent;
  for (size_t index = 0; index < 2 * kControlClientsMax; ++index) {
    silent.push_back(connect_to(directory));
    server->on_ready();
  }
  EXPECT_EQ(server->clients(), kControlClientsMax);
  ASSERT_TRUE(send_packet(silent.back().get(), "status"));
  server->on_ready();
  EXPECT_EQ(receive(silent.back()), R"({"ok":true,"argument":""})");
  EXPECT_EQ(receive(silent.front()), "closed");
}

TEST(ControlServer, AnEdgeTriggeredWatcherMissesNothing) {
  TemporaryDirectory directory;
  Recorder recorder;
  auto server = recorder.listen(directory.path());
  FileDescriptor outer(epoll_create1(EPOLL_CLOEXEC));
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLET;
  ASSERT_EQ(epoll_ctl(outer.get(), EPOLL_CTL_ADD, server->fd(), &interest), 0);
  for (int round = 0; round < 3; ++round) {
    std::vector<FileDescriptor> clients;
    for (int index = 0; index < 5; ++index) {
      clients.push_back(connect_to(directory));
      ASSERT_TRUE(send_packet(clients.back().get(), "status"));
    }
    epoll_event event{};
    ASSERT_EQ(epoll_wait(outer.get(), &event, 1, 30'000), 1);
    server->on_ready();
    for (const FileDescriptor& client : clients) EXPECT_EQ(receive(client), R"({"ok":true,"argument":""})");
  }
}

TEST(ControlSocket, IsPrivateAndGoesWithItsServer) {
  TemporaryDirectory directory;
  Recorder recorder;
  const std::string path = directory.file(kControlSocketName);
  auto server = recorder.listen(directory.path());
  struct stat mode{};
  ASSERT_EQ(stat(path.c_str(), &mode), 0);
  EXPECT_EQ(mode.st_mode & 0777, 0600u);
  server.reset();
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(ControlSocket, ReplacesOneLeftByACrashAndSparesASuccessors) {
  TemporaryDirectory directory;
  Recorder first;
  Recorder second;
  auto old = first.listen(directory.path());
  auto successor = second.listen(directory.path());
  old.reset();
  ServerThread running(std::move(successor));
  EXPECT_EQ(control_call(directory.path(), "status", kPatience), R"({"ok":true,"argument":""})");
}

TEST(ControlSocket, IsFoundWhenItIsPublishedWhichMayBeTriedAgain) {
  TemporaryDirectory directory;
  Recorder first;
  Recorder second;
  ServerThread old(first.listen(directory.path()));
  auto result = ControlServer::listen(directory.path(), second.callbacks());
  ASSERT_TRUE(result);
  EXPECT_TRUE(control_call(directory.path(), "status", kPatience)) << "the old one answers";
  const std::string path = directory.file(kControlSocketName);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_FALSE((*result)->publish());
  std::filesystem::remove(path);
  EXPECT_TRUE((*result)->publish());
  second.server = result->get();
  {
    ServerThread running(std::move(*result));
    EXPECT_EQ(control_call(directory.path(), "status", kPatience), R"({"ok":true,"argument":""})");
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(ControlSocket, WorksInADirectoryWithALongPath) {
  TemporaryDirectory directory;
  const std::string deep = directory.file(std::string(150, 'd'));
  std::filesystem::create_directory(deep);
  Recorder recorder;
  ServerThread server(recorder.listen(deep));
  EXPECT_EQ(control_call(deep, "status", kPatience), R"({"ok":true,"argument":""})");
}

TEST(ControlClient, SaysThatNobodyRuns) {
  TemporaryDirectory directory;
  EXPECT_EQ(control_call(directory.path(), "status", kPatience).error().code, ErrorCode::refused);
  EXPECT_EQ(control_call(directory.file("missing"), "status", kPatience).error().code, ErrorCode::refused);
}

TEST(ControlClient, DoesNotWaitForEver) {
  TemporaryDirectory directory;
  Recorder recorder;
  auto server = recorder.listen(directory.path());  // and nobody runs it
  EXPECT_EQ(control_call(directory.path(), "status", std::chrono::milliseconds(5)).error().code,
            ErrorCode::deadline_exceeded);
}

}  // namespace
}  // namespace llmgw::process
