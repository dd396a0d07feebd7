#include "app/service/config_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/process/test_support.h"
#include "control/config_loader.h"
#include "control/setting_value.h"
#include "net/tls_test_certificates.h"

namespace llmgw::app {
namespace {

using process::TemporaryDirectory;

class ConfigFilesTest : public testing::Test {
 protected:
  // All that is found of a file with these sections, or why it is none.
  std::string found(const std::string& sections) {
    const std::string path = directory_.file("gateway.toml");
    const auto config = control::load_config("[server]\nallow_anonymous = true\n" + sections,  // the third line on
                                             control::real_environment(path));
    if (!config) return control::format_errors(config.error(), "F");
    return control::format_errors(check_files(*config), "F");
  }

  std::string quoted(const std::string& path) { return "\"" + path + "\"\n"; }

  std::string server_tls(const std::string& certificate, const std::string& key, const std::string& more = "") {
    return "[server.tls]\ncertificate = " + quoted(certificate) + "key = " + quoted(key) + more;
  }

  std::string connection(const std::string& tls) {
    return "[[connections]]\nname = \"a\"\nprovider = \"openai\"\napi_key = \"k\"\n[connections.tls]\n" + tls;
  }

  std::string junk() {
    std::ofstream(directory_.file("junk")) << "no certificate\n";
    return directory_.file("junk");
  }

  TemporaryDirectory directory_;
  net::TestAuthority authority_;
  net::TlsCertificateFiles one_ = authority_.issue({.names = {"localhost"}});
  net::TlsCertificateFiles other_ = authority_.issue({.names = {"localhost"}});
  net::TlsCertificateFiles rsa_ = authority_.issue({.names = {"localhost"}, .rsa = true});
};

TEST_F(ConfigFilesTest, WhatFitsIsNoFault) {
  const std::string ca = authority_.certificate_file();
  EXPECT_EQ(
      found(server_tls(one_.chain_file, one_.key_file, "client_ca = " + quoted(ca)) +
            "[upstream.tls]\nca_file = " + quoted(ca) +
            connection("client_certificate = " + quoted(rsa_.chain_file) + "client_key = " + quoted(rsa_.key_file))),
      "");
}

TEST_F(ConfigFilesTest, FaultsStandWhereTheirSettingDoes) {
  const std::string bad = junk();
  EXPECT_EQ(found(server_tls(one_.chain_file, other_.key_file)),
            "F:5:1: server.tls.key: the key in " + other_.key_file + " does not belong to the certificate in " +
                one_.chain_file +
                " (key values mismatch); name the key that the certificate was made with, or the certificate of this "
                "key\n");
  EXPECT_TRUE(found(server_tls(one_.chain_file, rsa_.key_file)).starts_with("F:5:1: server.tls.key: the key in "));
  EXPECT_TRUE(found(server_tls(bad, one_.key_file))
                  .starts_with("F:4:1: server.tls.certificate: file " + bad + " cannot be used as a certificate ("));
  EXPECT_TRUE(found(server_tls(one_.chain_file, bad))
                  .starts_with("F:5:1: server.tls.key: file " + bad + " cannot be used as a key ("));
  EXPECT_TRUE(found(server_tls(one_.chain_file, one_.key_file, "client_ca = " + quoted(bad)))
                  .starts_with("F:6:1: server.tls.client_ca: file " + bad + " holds no authorities "));
}

TEST_F(ConfigFilesTest, EachConnectionHasItsOwn) {
  const std::string bad = junk();
  EXPECT_TRUE(found("[upstream.tls]\nca_file = " + quoted(bad)).starts_with("F:4:1: upstream.tls.ca_file: file "));
  const std::string two =
      found(connection("ca_file = " + quoted(bad)) +
            connection("client_certificate = " + quoted(one_.chain_file) + "client_key = " + quoted(other_.key_file)));
  EXPECT_NE(two.find("'a' is already the name"), std::string::npos) << "names are looked at first";
  const std::string sections = found(connection("ca_file = " + quoted(bad)));
  EXPECT_TRUE(sections.starts_with("F:8:1: connections.tls.ca_file: file " + bad)) << sections;
  const std::string key =
      found(connection("client_certificate = " + quoted(one_.chain_file) + "client_key = " + quoted(other_.key_file)));
  EXPECT_TRUE(key.starts_with("F:9:1: connections.tls.client_key: the key in ")) << key;
}

TEST_F(ConfigFilesTest, TheLogHasAPlace) {
  const auto output = [&](const std::string& path) { return found("[log]\noutput = " + quoted(path)); };
  EXPECT_EQ(output(directory_.file("log")), "");
  std::ofstream(directory_.file("log")) << "a line\n";
  EXPECT_EQ(output(directory_.file("log")), "");
  EXPECT_EQ(output("stdout") + output("off"), "");
  EXPECT_EQ(output(directory_.file("nowhere/log")),
            "F:4:1: log.output: " + directory_.file("nowhere/log") + " cannot be written: there is no directory " +
                directory_.file("nowhere") + "; name a file in a directory that is there and this user may write to\n");
  std::filesystem::create_directory(directory_.file("is-one"));
  EXPECT_NE(output(directory_.file("is-one")).find("it is a directory"), std::string::npos);
  EXPECT_NE(output(directory_.file("log/x")).find("F:4:1: log.output: "), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory_.file("nowhere"))) << "nothing is made";
}

TEST_F(ConfigFilesTest, CertificatesWhoseTimeIsOverAreDoubted) {
  const auto old = authority_.issue({.names = {"localhost"}, .valid_from_days = -3, .valid_to_days = -2});
  const auto later = authority_.issue({.names = {"localhost"}, .valid_from_days = 2, .valid_to_days = 3});
  const auto doubts = [&](const std::string& sections) {
    const auto config = control::load_config("[server]\nallow_anonymous = true\n" + sections,
                                             control::real_environment(directory_.file("gateway.toml")));
    control::ConfigErrors errors;
    if (config) doubt_certificates(*config, base::real_wall_now(), errors);
    return control::format_errors(errors, "F");
  };
  EXPECT_EQ(found(server_tls(old.chain_file, old.key_file)), "") << "it can be used";
  EXPECT_EQ(doubts(server_tls(one_.chain_file, one_.key_file)), "");
  EXPECT_TRUE(doubts(server_tls(old.chain_file, old.key_file))
                  .starts_with("F:4:1: server.tls.certificate: the certificate in " + old.chain_file + " expired at "));
  EXPECT_NE(doubts(server_tls(later.chain_file, later.key_file)).find(" is not valid before "), std::string::npos);
  EXPECT_TRUE(
      doubts(connection("client_certificate = " + quoted(old.chain_file) + "client_key = " + quoted(old.key_file)))
          .starts_with("F:8:1: connections.tls.client_certificate: "));
}

TEST_F(ConfigFilesTest, ADataDirectoryThatCannotBeIsDoubted) {
  const auto doubts = [&](const std::string& path) {
    const auto config = control::load_config("[server]\nallow_anonymous = true\ndata_dir = " + quoted(path),
                                             control::real_environment(directory_.file("gateway.toml")));
    control::ConfigErrors errors;
    if (config) doubt_data_dir(*config, errors);
    return control::format_errors(errors, "F");
  };
  EXPECT_EQ(doubts(directory_.file("a/b/c")), "");
  EXPECT_FALSE(std::filesystem::exists(directory_.file("a")));
  const std::string file = junk();
  for (const std::string& path : {file, file + "/data"}) {
    EXPECT_TRUE(doubts(path).starts_with("F:3:1: server.data_dir: " + path + " cannot be used by this user: "))
        << doubts(path);
  }
}

}  // namespace
}  // namespace llmgw::app
