// Package browser tests clients in a real browser: Chromium, driven by chromedp. It
// is a module of its own, so that wirecall does not depend on chromedp.
//
// Package lab is the service that pages call, and package inpage has the tests of the Go
// client that run inside a page, compiled for js/wasm.
package browser
