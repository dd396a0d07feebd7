// What a serving process sets for itself as a whole, before it has threads.
#pragma once

#include <cstddef>
#include <string>

#include "app/process/file_descriptor.h"
#include "base/result.h"

namespace llmgw::app {

// Raises the soft limit of open files to the hard one. Returns the limit in force; 0 if it is not known.
size_t raise_descriptor_limit();

// So that memory of a burst goes back to the system: large blocks get mappings of their own, and each thread has an
// arena, no more. `threads`: workers and the control thread.
void tune_allocator(size_t threads);

// Gives back what only the start needed: freed memory, and the pages of code that are mapped (most will not run again;
// those that do are mapped again from the page cache, 0.5 us each time for 16 of them).
void give_back_start_memory();

// Keeps a SIGHUP for later, whose default would end a process that has no signals set up yet. Before any thread.
void hold_reload();
// Blocks the signals that the service obeys or passes over (on_signal) for this thread and those it starts; they are
// read from the descriptor.
base::Result<process::FileDescriptor> block_signals();
// The next signal that came; 0 when none has.
int next_signal(int descriptor);

// Makes `path` with mode 0700 if it is not there, its parents included. The error is a sentence.
std::string make_data_dir(const std::string& path);

}  // namespace llmgw::app
