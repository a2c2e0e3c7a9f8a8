// Counts prints how much code one needs to read to follow what the runtime
// does, and how that code is cut:
//
//	go run ./internal/counts [-check] [-v] [folder of the module]
//
// A count that has a bound is printed beside it; -check exits with 1 if one is
// exceeded. -v lists the functions of each scenario. Apart from the go command
// it needs nothing.
//
// The counts of a scenario are of functions and files that are executed for
// each further call, item or cut, on both ends, of this module alone: see
// executed. The others are of the source, without tests, generated files and
// nested modules.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const module = "github.com/wirecall/wirecall"

func main() {
	check := flag.Bool("check", false, "exit with 1 if a count exceeds its bound")
	verbose := flag.Bool("v", false, "list the functions of each scenario")
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	r := &report{out: os.Stdout, verbose: *verbose}
	if err := r.all(root); err != nil {
		fmt.Fprintln(os.Stderr, "counts:", err)
		os.Exit(1)
	}
	if *check && r.exceeded > 0 {
		fmt.Fprintf(os.Stderr, "counts: %d bounds exceeded\n", r.exceeded)
		os.Exit(1)
	}
}

// A report prints counts, and counts those that exceed their bounds.
type report struct {
	out      io.Writer
	verbose  bool
	exceeded int
}

func (r *report) all(root string) error {
	return errors.Join(r.scenarios(root), r.source(root), r.arrows(root))
}

// bounded prints a count and what it may come to at most.
func (r *report) bounded(what string, n, bound int) {
	mark := ""
	if n > bound {
		mark = "  exceeded"
		r.exceeded++
	}
	r.printf("%-64s %5d  of %d%s", what, n, bound, mark)
}

func (r *report) printf(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }
