//go:build !race

package racing

// Detector is documented where it is true.
const Detector = false
