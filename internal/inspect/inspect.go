// Package inspect is the page of the inspector and what serves it: to rpc/inspector, which
// mounts it beside a server, and to the command wirecall, which serves it for other
// servers and pipes the frames of the page to them.
//
// The page is one file, page.html, bundled from src. It is a client like any other: it
// calls through typescript/wirecall.ts, over WebSockets whose frames it records, and so it
// shows what a program would get and the frames below that. Two other designs were
// sketched and dropped. In one the Go side made the calls and reported them to a page that
// only shows: that is a second protocol between the two, and what it shows is not what a
// page gets. In the other the server copied the frames of every connection to the page:
// every frame of every connection then costs a look at it, and the page shows one user's
// data to another.
package inspect

//go:generate go run -C ../browser ./bundle -page $PWD/src/main.ts $PWD

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"
)

//go:embed page.html
var page string

// scriptHash and styleHash are the sources that the page's Content-Security-Policy allows.
var (
	scriptHash = hashOf("<script type=\"module\">", "</script>")
	styleHash  = hashOf("<style>", "</style>")
)

// hashOf returns the source expression for the text of the page between two tags.
func hashOf(begin, end string) string {
	_, rest, _ := strings.Cut(page, begin)
	text, _, _ := strings.Cut(rest, end)
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// policy returns the Content-Security-Policy of the page. It may connect to the host that
// it was loaded from, and to other sources if there are any.
func policy(host, other string) string {
	return fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; img-src data:; connect-src 'self' ws://%s wss://%s%s; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		scriptHash, styleHash, host, host, other)
}
