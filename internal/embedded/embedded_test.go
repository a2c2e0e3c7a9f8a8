package embedded

import (
	"os"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// put stores a value in a bucket, which is made if there is none.
func put(t *testing.T, nc *nats.Conn, key, value string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutString(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

// get returns what put has stored.
func get(t *testing.T, nc *nats.Conn, key string) string {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := bucket.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(entry.Value())
}

// Another process reaches a server that is shared, and what a folder keeps is there after
// a restart.
func TestConnect(t *testing.T) {
	folder := t.TempDir()
	s, stop, err := Start(Options{Folder: folder, Share: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	other, leave, err := Connect(Options{URL: s.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	put(t, other, "a", "kept")
	leave()
	stop()

	nc, stop, err := Connect(Options{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if got := get(t, nc, "a"); got != "kept" {
		t.Errorf("got %q", got)
	}
}

// Without a folder nothing is left.
func TestTemporary(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	nc, stop, err := Connect(Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, nc, "a", "gone")
	stop()
	if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestFailures(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []Options{{URL: "nats://127.0.0.1:1"}, {Share: "nowhere"}, {Share: "localhost:port"}, {Folder: file + "/below"}} {
		if nc, _, err := Connect(opts); err == nil {
			nc.Close()
			t.Errorf("%+v: connected", opts)
		}
	}
}
