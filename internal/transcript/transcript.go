// Package transcript reads transcripts of conversations on the wire, and plays them
// against a client or a server. The language is that of rpc/testdata, whose README
// describes it: package rpc's own tests, rpctest and the recorder share this package.
package transcript

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Conversation is one connection's worth of a file.
type Conversation struct {
	File, Name string
	Settings   []Line // the lines that begin with "!"
	Lines      []Line
}

// A Line is a line of a file that means something.
type Line struct {
	N      int    // its number in the file, from 1
	Marker string // one of Markers
	Text   string // what follows the marker, without space around it
}

// Markers are what lines begin with, longer ones before those that they begin with.
var Markers = []string{"<-close", "<-cut", "<-dial", "<-lost", "->close", "->cut", "->dial", "->half", "->lost", "->deaf", "->hears", "->raw", "->", "<-", "<*", "..", "~>", "~<", "!", "#", "@"}

// Parse returns the conversations of a file. Each must begin with prose. If the prose of
// the first is followed by another conversation at once, it is about the file.
func Parse(file, text string) ([]*Conversation, error) {
	c := &Conversation{File: file, Name: "first"}
	all := []*Conversation{c}
	prose := 0
	for i, line := range strings.Split(text, "\n") {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			if prose == 0 {
				return nil, fmt.Errorf("%s:%d: the conversation above does not say why it exists", file, i+1)
			}
			c = &Conversation{File: file, Name: strings.TrimSpace(name)}
			all = append(all, c)
			prose = 0
			continue
		}
		l := parseLine(i+1, line)
		switch {
		case l.Marker == "" && strings.TrimSpace(line) == "", l.Marker == "#":
		case l.Marker == "" && len(c.Lines) > 0:
			return nil, fmt.Errorf("%s:%d: prose inside a conversation", file, i+1)
		case l.Marker == "":
			prose++
		case l.Marker == "!":
			c.Settings = append(c.Settings, l)
		default:
			c.Lines = append(c.Lines, l)
		}
	}
	if len(all) > 1 && len(all[0].Lines) == 0 {
		all = all[1:]
	}
	return all, nil
}

func parseLine(n int, text string) Line {
	for _, m := range Markers {
		if rest, ok := strings.CutPrefix(text, m); ok {
			return Line{n, m, Expand(strings.TrimSpace(rest))}
		}
	}
	return Line{N: n}
}

var repeated = regexp.MustCompile(`«([^»]*)\*(\d+)»`)

// Expand replaces each «x*3» by xxx. One that is malformed stays as it is.
func Expand(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		what, err := strconv.Unquote(`"` + m[1] + `"`)
		n, tooLarge := strconv.Atoi(m[2])
		if err != nil || tooLarge != nil {
			return s
		}
		return strings.Repeat(what, n)
	})
}
