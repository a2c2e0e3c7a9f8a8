package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The descriptions that internal/compat compares are what the generator makes of the
// contracts beside them.
func TestDescriptionsOfCompat(t *testing.T) {
	for _, name := range []string{"old", "new"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := &session{args: []string{"gen", "-check", "-openrpc", filepath.Join("..", name+".json"), "."},
				dir: filepath.Join("..", "..", "internal", "compat", "testdata", name), stdout: &out, stderr: &out}
			if run(t.Context(), s) != 0 {
				t.Errorf("%s", out.String())
			}
		})
	}
}

func TestDiff(t *testing.T) {
	sh, document := newShell(t, itself), description(t)
	renamed := bytes.ReplaceAll(document, []byte(`"name":"author","required"`), []byte(`"name":"by","required"`))
	for name, b := range map[string][]byte{"same.json": document, "renamed.json": renamed, "nonsense.json": []byte("nonsense")} {
		if err := os.WriteFile(filepath.Join(sh.dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"}} {
		git := exec.Command("git", args...)
		git.Dir = sh.dir
		if b, err := git.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	}
	removed := "error PARAM_REMOVED Room.Post(author): …, unless it is called by now: …alias=author\n"
	added := "info PARAM_ADDED Room.Post(by): it is the zero value when an older client calls\n"
	for _, c := range []remoteCase{
		{line: "diff same.json same.json"},
		{line: "diff same.json $URL"},
		{line: "diff -post same.json " + strings.Replace(sh.url, "ws:", "http:", 1)},
		{line: "diff git:HEAD:same.json same.json"},
		{line: "diff -format json same.json same.json", stdout: "[]\n"},
		{line: "diff git:HEAD:same.json renamed.json", status: 1, stdout: removed + "…" + added + "…", stderr: "wirecall: …break older clients; -allow RULE:Path accepts one\n"},
		{line: "diff -allow PARAM_REMOVED:Room.Post(author) -allow PARAM_REMOVED:Room.Typing(author) same.json renamed.json", stdout: added + "…"},
		{line: "diff -allow PARAM_REMOVED same.json renamed.json", stdout: added + "…"},
		{line: "diff -format github same.json renamed.json", status: 1, stdout: "::error title=PARAM_REMOVED::Room.Post(author): …::notice title=PARAM_ADDED::Room.Post(by): …", stderr: "…"},
		{line: "diff same.json", status: 2, stderr: "wirecall: want two descriptions: wirecall diff [flags] OLD NEW\n"},
		{line: "diff -allow NONSENSE same.json same.json", status: 2, stderr: "wirecall: -allow NONSENSE: there is no rule NONSENSE\n"},
		{line: "diff -format nonsense same.json same.json", status: 2, stderr: "wirecall: -format nonsense: want text, json or github\n"},
		{line: "diff same.json missing.json", status: 1, stderr: "wirecall: missing.json: no such file or directory\n"},
		{line: "diff same.json nonsense.json", status: 1, stderr: "wirecall: the newer description: it is no OpenRPC document: …"},
		{line: "diff git:HEAD:missing.json same.json", status: 1, stderr: "wirecall: git:HEAD:missing.json: git show: exit status 128: fatal: …"},
		{line: "diff same.json " + strings.Replace(serveChat(t, nil), "127.0.0.1", "localhost", 1), status: 1, stderr: "wirecall: ws://…: the server does not describe itself…"},
		{line: "diff same.json ws://127.0.0.1:1", status: exitUnreachable, stderr: "wirecall: ws://127.0.0.1:1: …"},
	} {
		sh.check(c)
	}
}
