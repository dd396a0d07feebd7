// A signature that a stream's writer keeps until the place for it comes. One stream, one thread.
#pragma once

#include <string>

#include "chat/signature.h"

namespace llmgw::dialects {

class HeldSignature {
 public:
  // Copies the texts. One that is not present() holds nothing.
  void hold(const chat::Signature& signature) {
    present_ = signature.present();
    minter_ = signature.minter;
    model_ = signature.model;
    id_ = signature.id;
    data_ = signature.data;
  }
  void drop() { present_ = false; }
  bool present() const { return present_; }
  // Without a place: that is where it is written. Also after drop(), until the next hold(). Views of this object.
  chat::Signature signature() const { return {.minter = minter_, .model = model_, .id = id_, .data = data_}; }

 private:
  bool present_ = false;
  chat::Minter minter_ = chat::Minter::none;
  std::string model_;
  std::string id_;
  std::string data_;
};

}  // namespace llmgw::dialects
