// A doubly linked list whose links live inside its elements: no allocation, O(1) unlink from the
// middle. An element is in at most one list through one link and must be unlinked before it dies.
#pragma once

#include "base/check.h"

namespace penstock {

// Base class of an element. Tag tells several links of one element apart.
template <typename Tag = void>
class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { DCHECK(!linked()); }

  bool linked() const { return next_ != nullptr; }
  void Unlink() {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename T, typename U>
  friend class IntrusiveList;
  ListLink* next_ = nullptr;
  ListLink* previous_ = nullptr;
};

template <typename T, typename Tag = void>
class IntrusiveList final {
 public:
  using Link = ListLink<Tag>;

  IntrusiveList() { root_.next_ = root_.previous_ = &root_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    DCHECK(empty());
    root_.next_ = root_.previous_ = nullptr;
  }

  bool empty() const { return root_.next_ == &root_; }
  void PushBack(T& element) { InsertBefore(root_, element); }
  void PushFront(T& element) { InsertBefore(*root_.next_, element); }
  T* front() { return empty() ? nullptr : Element(root_.next_); }
  const T* front() const { return empty() ? nullptr : static_cast<const T*>(root_.next_); }
  T* PopFront() {
    T* element = front();
    if (element != nullptr) static_cast<Link*>(element)->Unlink();
    return element;
  }
  // The element after `element`, or null at the end. To unlink while walking, step first.
  T* Next(T& element) {
    Link* next = static_cast<Link&>(element).next_;
    return next == &root_ ? nullptr : Element(next);
  }
  // Moves all of `other`'s elements to the end of this list.
  void Splice(IntrusiveList& other) {
    while (T* element = other.PopFront()) PushBack(*element);
  }

 private:
  static T* Element(Link* link) { return static_cast<T*>(link); }
  void InsertBefore(Link& position, T& element) {
    Link& link = element;
    DCHECK(!link.linked());
    link.next_ = &position;
    link.previous_ = position.previous_;
    position.previous_->next_ = &link;
    position.previous_ = &link;
  }

  Link root_;
};

}  // namespace penstock
