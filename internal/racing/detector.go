//go:build race

package racing

// Detector reports whether the program is built with the race detector. What only starts
// other programs, or runs in one goroutine, is the same with it, and takes long: such tests
// run without it.
const Detector = true
