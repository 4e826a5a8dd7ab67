//! The program as its users run it: commands in, lines and exit statuses out.
//!
//! These are debug builds, which refuse to print numbers; the tests that measure something set the variable that allows
//! it (`STRATA_TEST_ALLOW_DEBUG`), and no test looks at a time.

mod doctor;
mod failures;
mod made;
mod preloads;
mod program;
mod programs;
mod refusals;
mod results;
mod verbs;
