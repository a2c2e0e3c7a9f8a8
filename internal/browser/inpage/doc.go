// Package inpage has tests of the Go client in a browser. They are compiled for js/wasm
// and run in a page by the tests of package browser.
package inpage
