// A doubly linked list whose links live in its members: insertion and removal allocate nothing and are O(1).
// A member removes itself when it dies. One thread.
#pragma once

namespace llmgw::base {

struct ListNode {
  ListNode* previous = this;
  ListNode* next = this;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next != this; }
  void unlink() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }
};

// T derives from ListNode.
template <class T>
class IntrusiveList {
 public:
  bool empty() const { return !head_.linked(); }
  void push_back(T& member) { insert_before(head_, member); }
  void push_front(T& member) { insert_before(*head_.next, member); }
  T& front() { return static_cast<T&>(*head_.next); }
  T& back() { return static_cast<T&>(*head_.previous); }
  T& pop_front() {
    T& first = front();
    static_cast<ListNode&>(first).unlink();
    return first;
  }
  // For walking: null at the end. The member at hand must stay in the list until after() was called with it.
  T* first() { return empty() ? nullptr : &front(); }
  T* after(T& member) {
    ListNode* node = static_cast<ListNode&>(member).next;
    return node == &head_ ? nullptr : static_cast<T*>(node);
  }
  // Moves all members of `other` to the end of this list.
  void take(IntrusiveList& other) {
    while (!other.empty()) push_back(other.pop_front());
  }

 private:
  static void insert_before(ListNode& place, T& member) {
    ListNode& node = member;
    node.unlink();
    node.previous = place.previous;
    node.next = &place;
    place.previous->next = &node;
    place.previous = &node;
  }
  ListNode head_;
};

}  // namespace llmgw::base
