// Package wasip1 has a test of the Go client in a WASI host. It is compiled for wasip1/wasm
// and run by the tests of package browser.
package wasip1
