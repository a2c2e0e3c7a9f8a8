// Package stress holds what the runtime promises under load and under abuse:
// order and completeness of many streams at once, bounds while a consumer or a
// whole peer stalls, cancellation that reaches, and the benchmarks.
//
// The tests that run in seconds are part of every test run; -long makes the
// same tests larger.
package stress
