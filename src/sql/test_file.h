#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millstream::sql {

// Runs a .test file, the language in which the engine's behaviour is written down:
//
//   # a comment
//   input S (k VARCHAR(8), v INTEGER)      an input stream and its columns
//   table T (k VARCHAR(8), name VARCHAR(8))
//   | a | alpha                             rows of the table above; named again, it is replaced
//   code                                    the application, up to a line "end"
//   CREATE STREAM ...
//   end
//   row S 10:00:00 | a | 1                  a row with its ROWTIME (2026-01-01 unless a date is given)
//   repeat 100 row S 10:00:00 | a | 1      the same row many times
//   bound S 10:01:00                        no earlier row will follow
//   finish S                                the input has ended
//   restart                                 save, build anew, restore
//   limit 100000                            state_bytes_max of the applications below
//   stops <part of the message>             what the last row or bound answered
//   expect D                                rows that D got since the last expect, up to a blank line
//   10:01:00 | a | 1
//   expect errors                           name | part of the message
//   fails <message>                         instead of rows: what creating the application says
//   eval 1 + 1 => 2                         a constant expression and its text; "=> error" if it fails
//
// Returns what differs, one message each; empty when all is as written.
std::vector<std::string> RunTestFile(std::string_view text);
// The same with a restart (save, build anew, restore) behind every row and bound: nothing may differ.
std::vector<std::string> RunTestFileWithRestarts(std::string_view text);

}  // namespace millstream::sql
