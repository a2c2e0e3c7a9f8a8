package load

import (
	"os"
	"path/filepath"
	"strings"
)

// The files that we write: for a package, for the interfaces in its tests, and
// for those in its external tests. Before _test or .go the name has the suffix of
// a build constraint, if there is one.
const (
	outputMain  = "wirecall_gen"
	outputXTest = "wirecall_gen_x"
)

// An outputKind is what an output is written for.
type outputKind int

const (
	forPackage outputKind = iota
	forTests
	forExternalTests
)

// outputName is the name of an output.
func outputName(kind outputKind, suffix string) string {
	switch kind {
	case forTests:
		return outputMain + suffix + "_test.go"
	case forExternalTests:
		return outputXTest + suffix + "_test.go"
	}
	return outputMain + suffix + ".go"
}

// parseOutput reports whether a file has the name of an output, and what it is
// written for.
func parseOutput(file string) (kind outputKind, ok bool) {
	name, ok := strings.CutSuffix(filepath.Base(file), ".go")
	if !ok {
		return 0, false
	}
	name, test := strings.CutSuffix(name, "_test")
	rest, external := strings.CutPrefix(name, outputXTest)
	switch {
	case test && external:
		kind = forExternalTests
	case test:
		kind = forTests
	}
	if kind != forExternalTests {
		if rest, ok = strings.CutPrefix(name, outputMain); !ok {
			return 0, false
		}
	}
	return kind, strings.TrimPrefix(rest, "_cgo") == platform(file)
}

func isOutput(file string) bool {
	_, ok := parseOutput(file)
	return ok
}

// outputsIn is the outputs that there are in a folder, with its path.
func outputsIn(dir string) (files []string) {
	entries, _ := os.ReadDir(dir) // what cannot be read is not ours
	for _, e := range entries {
		if isOutput(e.Name()) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files
}
