package internal_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	modversion "golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func readme(t *testing.T) (start, all string) {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, start, _ = strings.Cut(string(b), "\n## Start\n")
	start, _, _ = strings.Cut(start, "\n## ")
	return start, string(b)
}

// The section Start is followed to the letter, in an empty folder, with this
// checkout as the newest version of the module; and prints what it says.
func TestReadmeStart(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles all modules in another place")
	}
	dir, env := t.TempDir(), publish(t)
	start, _ := readme(t)
	var out, want string
	for _, b := range blocks(start) {
		switch {
		case b.file != "":
			write(t, filepath.Join(dir, b.file), []byte(b.text))
		case b.lang == "sh":
			out = sh(t, dir, env, b.text)
		default:
			want = b.text
		}
	}
	if out != want {
		t.Errorf("the program of the README prints\n%s\nwant\n%s", out, want)
	}
}

// publish makes a module proxy that serves this checkout, and the environment
// in which the go command asks it first.
func publish(t *testing.T) (env []string) {
	t.Helper()
	v := modversion.Version{Path: "github.com/wirecall/wirecall", Version: "v0.1.0"}
	proxy, cache := filepath.Join(t.TempDir(), "any name, 100% (é)"), t.TempDir()
	dir := filepath.Join(proxy, v.Path, "@v")
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, v, ".."); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "list"), []byte(v.Version+"\n"))
	write(t, filepath.Join(dir, v.Version+".info"), []byte(`{"Version":"`+v.Version+`"}`))
	write(t, filepath.Join(dir, v.Version+".mod"), mod)
	write(t, filepath.Join(dir, v.Version+".zip"), archive.Bytes())
	downloaded := strings.TrimSpace(sh(t, "..", nil, "go env GOMODCACHE")) + "/cache/download"
	others := strings.TrimSpace(sh(t, "..", nil, "go env GOPROXY"))
	return []string{
		"GOPROXY=" + fileURL(proxy) + "," + fileURL(downloaded) + "," + others,
		"GOMODCACHE=" + cache,           // or the checkout of an earlier run would be found there
		"GOSUMDB=off",                   // it cannot know this version, and go.sum has vouched for the others
		"GOFLAGS=-modcacherw -trimpath", // what was compiled in the cache of an earlier run is used again
		"GOWORK=off",
	}
}

// fileURL is a folder as GOPROXY takes it, whatever its name.
func fileURL(dir string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}
	return strings.ReplaceAll(u.String(), ",", "%2C") // a comma ends an element of the list
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// sh runs a script and returns what it writes to standard output.
func sh(t *testing.T, dir string, env []string, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, stderr.String())
	}
	return string(out)
}
