package internal_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/racing"

	modversion "golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// section returns the part of the README between two texts.
func section(t *testing.T, from, to string) string {
	t.Helper()
	_, part, _ := strings.Cut(contents(t, "README.md"), from)
	part, _, ok := strings.Cut(part, to)
	if !ok {
		t.Fatalf("the README has no %q", from)
	}
	return part
}

// The section Start is followed to the letter, in an empty folder, with this
// checkout as the newest version of the module; and prints what it says.
func TestReadmeStart(t *testing.T) {
	if testing.Short() || racing.Detector {
		t.Skip("it compiles all modules in another place")
	}
	follow(t, publish(t), blocks(section(t, "\n## Start\n", "\n### ")))
}

// So it is by those who have a checkout and no published version, by either of the
// ways that the README names.
func TestReadmeCheckout(t *testing.T) {
	if testing.Short() || racing.Detector {
		t.Skip("it compiles the generator")
	}
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(section(t, "\n### From a checkout\n", "\n### "), "../wirecall", "'"+checkout+"'")
	for name, instead := range map[string]string{
		"replace":   blocks(text)[0].text,
		"workspace": regexp.MustCompile("`(go work init [^`]*)`").FindStringSubmatch(text)[1],
	} {
		t.Run(name, func(t *testing.T) {
			steps := blocks(section(t, "\n## Start\n", "\n### "))
			steps[0].text = "go mod init hello\n" + instead
			if name == "workspace" {
				last := &steps[len(steps)-2] // there is nothing to tidy
				last.text = strings.Replace(last.text, "go mod tidy\n", "", 1)
			}
			follow(t, []string{"GOWORK="}, steps)
		})
	}
}

// A program that uses the module cluster of a checkout compiles, by either of the ways too.
func TestReadmeCheckoutCluster(t *testing.T) {
	if testing.Short() || racing.Detector {
		t.Skip("it compiles the module cluster")
	}
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(section(t, "\n### From a checkout\n", "\n### "), "../wirecall", "'"+checkout+"'")
	workspace := regexp.MustCompile("`(go work init [^`]*/cluster[^`]*)`").FindStringSubmatch(text)[1]
	for name, script := range map[string]string{
		"replace":   blocks(text)[0].text + blocks(text)[1].text + "go mod tidy\ngo vet .\n",
		"workspace": workspace + "\ngo vet .\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.go"), []byte("package main\n\nimport \"github.com/wirecall/wirecall/cluster\"\n\nfunc main() { println(cluster.ErrNodeClosed.Error()) }\n"))
			sh(t, dir, []string{"GOWORK="}, "go mod init hello\n"+script)
		})
	}
}

// follow does in an empty folder what the blocks say, the last of which is what the
// one before it prints.
func follow(t *testing.T, env []string, steps []block) {
	t.Helper()
	dir := t.TempDir()
	var out, want string
	for _, b := range steps {
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
