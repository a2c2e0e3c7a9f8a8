package lists

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// serve opens a server's lists and returns them as a client sees them.
func serve(t *testing.T) (*Server, Lists) {
	t.Helper()
	server, err := OpenServer(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, NewListsClient(rpctest.Connect(t.Context(), t, ListsService(server)))
}

// replica opens a replica of the list "home" that fails the test where an edit is refused.
func replica(t *testing.T, file string) *Replica {
	t.Helper()
	r, err := OpenReplica(t.Context(), file, "home", func(e Edit, why *Refused) { t.Errorf("edit %d was refused: %v", e.Number, why) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// edit stores edits, which must work.
func edit(t *testing.T, r *Replica, edits ...Edit) {
	t.Helper()
	for _, e := range edits {
		if err := r.Edit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// add is an edit that puts an item on the list.
func add(id, text string) Edit { return Edit{Item: id, Text: &text} }

// shows returns what a replica shows, and how many edits wait.
func shows(t *testing.T, r *Replica) (string, int) {
	t.Helper()
	all, waiting, err := r.Items(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, i := range all {
		lines = append(lines, fmt.Sprintf("%s %s %t", i.ID, i.Text, i.Done))
	}
	return strings.Join(lines, "\n"), waiting
}

// follow keeps a replica in step with the lists until stop is called.
func follow(t *testing.T, r *Replica, server Lists) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Sync(ctx, server) }()
	return func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error("sync ended:", err)
		}
	}
}

// until waits until a replica shows something and no edit waits.
func until(t *testing.T, r *Replica, want string) {
	t.Helper()
	for {
		changed := r.Changed()
		got, waiting := shows(t, r)
		if got == want && waiting == 0 {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("the replica shows\n%s\nwith %d edits waiting, not\n%s", got, waiting, want)
		}
	}
}

func TestOfflineEditsConverge(t *testing.T) {
	_, lists := serve(t)
	ann, bob := replica(t, ""), replica(t, "")
	edit(t, ann, add("m", "milk"), add("e", "eggs"))
	if got, waiting := shows(t, ann); got != "m milk false\ne eggs false" || waiting != 2 {
		t.Errorf("offline ann sees %q, %d waiting", got, waiting)
	}
	follow(t, ann, lists)()
	stop := follow(t, ann, lists)
	until(t, ann, "m milk false\ne eggs false")
	stop()

	stop = follow(t, bob, lists)
	until(t, bob, "m milk false\ne eggs false")
	stop()

	edit(t, ann, Edit{Item: "m", Done: new(true)}, add("m", "oat milk"), add("a", "apples"))
	edit(t, bob, add("m", "goat milk"), Edit{Item: "e", Deleted: new(true)}, add("b", "bread"))
	defer follow(t, ann, lists)()
	until(t, ann, "m oat milk true\ne eggs false\na apples false")
	defer follow(t, bob, lists)()
	const both = "m goat milk true\na apples false\nb bread false"
	until(t, bob, both)
	until(t, ann, both)
}

func TestEditsAreStoredOnce(t *testing.T) {
	server, lists := serve(t)
	edits := []Edit{{Number: 1, List: "home", Item: "m", Text: new("milk")}, {Number: 2, List: "home", Item: "m", Done: new(true)}}
	for range 3 {
		now, err := lists.Apply(t.Context(), "ann", edits)
		want := Item{List: "home", ID: "m", Text: "milk", Done: true, First: 1, Seq: 2}
		if err != nil || !slices.Equal(now, []Item{want, want}) {
			t.Errorf("applied: %v, %v", now, err)
		}
	}
	edits[1] = Edit{Number: 3, List: "home", Item: "m", Text: new("oat milk")}
	if now, err := lists.Apply(t.Context(), "ann", edits); err != nil || now[0].Text != "oat milk" || now[0].Seq != 3 {
		t.Errorf("one that is stored and one that is not: %v, %v", now, err)
	}
	if last, err := lastChange(t.Context(), server.db); last != 3 || err != nil {
		t.Errorf("%d changes, %v", last, err)
	}
}

func TestRefusedEdits(t *testing.T) {
	server, lists := serve(t)
	good := Edit{Number: 1, List: "home", Item: "m", Text: new("milk")}
	long := strings.Repeat("x", MaxText+1)
	for what, edits := range map[string][]Edit{
		"no number":    {good, {List: "home", Item: "m"}},
		"no list":      {good, {Number: 2, Item: "m"}},
		"no item":      {good, {Number: 2, List: "home"}},
		"a long name":  {good, {Number: 2, List: long, Item: "m"}},
		"a long text":  {good, {Number: 2, List: "home", Item: "m", Text: &long}},
		"no order":     {good, good},
		"too many":     make([]Edit, MaxEdits+1),
		"of a nobody:": nil,
	} {
		client := "ann"
		if edits == nil {
			client = ""
		}
		_, err := lists.Apply(t.Context(), client, edits)
		if _, ok := errors.AsType[*Refused](err); !ok {
			t.Errorf("%s: %v", what, err)
		}
	}
	if last, err := lastChange(t.Context(), server.db); last != 0 || err != nil {
		t.Errorf("%d changes are stored, %v", last, err)
	}
	if now, err := lists.Apply(t.Context(), "ann", nil); len(now) != 0 || err != nil {
		t.Errorf("no edits: %v, %v", now, err)
	}
}

// A server may accept less than it did when an edit was made. The others are not held up.
func TestReplicaDropsRefusedEdit(t *testing.T) {
	_, lists := serve(t)
	refused := make(chan Edit, 1)
	r, err := OpenReplica(t.Context(), "", "home", func(e Edit, _ *Refused) { refused <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	edit(t, r, add("m", "milk"), add("e", "eggs"), add("b", "bread"))
	defer follow(t, r, strict{lists})()
	until(t, r, "m milk false\nb bread false")
	if e := <-refused; e.Item != "e" {
		t.Errorf("refused: %v", e)
	}
}

// strict refuses eggs.
type strict struct{ Lists }

func (s strict) Apply(ctx context.Context, client string, edits []Edit) ([]Item, error) {
	for _, e := range edits {
		if e.Item == "e" {
			return nil, &Refused{e.Number, "no eggs"}
		}
	}
	return s.Lists.Apply(ctx, client, edits)
}

func TestServerThatWasSetUpAnew(t *testing.T) {
	_, before := serve(t)
	r := replica(t, "")
	edit(t, r, add("m", "milk"), add("e", "eggs"))
	stop := follow(t, r, before)
	until(t, r, "m milk false\ne eggs false")
	stop()
	_, anew := serve(t)
	edit(t, r, add("b", "bread"))
	defer follow(t, r, anew)()
	until(t, r, "b bread false")
}

func TestServerThatWasRestored(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lists.db")
	var epochs []string
	for _, restored := range []bool{false, false, true} {
		server, err := OpenServer(t.Context(), file, restored)
		if err != nil {
			t.Fatal(err)
		}
		epochs = append(epochs, server.epoch)
		server.Close()
	}
	if epochs[0] == "" || epochs[1] != epochs[0] || epochs[2] == epochs[0] {
		t.Errorf("epochs %q", epochs)
	}
}

func TestReplicaIsKept(t *testing.T) {
	_, lists := serve(t)
	file := filepath.Join(t.TempDir(), "ann.db")
	r := replica(t, file)
	edit(t, r, add("m", "milk"))
	stop := follow(t, r, lists)
	until(t, r, "m milk false")
	stop()
	edit(t, r, add("e", "eggs"))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReplica(t.Context(), file, "work", nil); err == nil || !strings.Contains(err.Error(), `is a copy of the list "home"`) {
		t.Errorf("opened as another list: %v", err)
	}
	r = replica(t, file)
	if got, waiting := shows(t, r); got != "m milk false\ne eggs false" || waiting != 1 {
		t.Errorf("opened again it shows %q, %d waiting", got, waiting)
	}
	defer follow(t, r, lists)()
	until(t, r, "m milk false\ne eggs false")
}

// Devices edit at random while their connections are cut and the server is started again and
// again. Each edit is stored once, and in the end all are equal.
func TestReplicasConverge(t *testing.T) {
	const devices, edits = 4, 60
	file := filepath.Join(t.TempDir(), "lists.db")
	var handler atomic.Pointer[rpc.Server]
	start := func() (stop func()) {
		server, err := OpenServer(t.Context(), file, false)
		if err != nil {
			t.Fatal(err)
		}
		srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
		srv.Register(ListsService(server))
		handler.Store(srv)
		return func() {
			srv.Close()
			server.Close()
		}
	}
	stop := start()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(w, r) }))
	defer web.Close()
	network := &rpctest.Network{Plan: rpctest.Faults{Seed: 1, Cut: 0.7}.Plan}

	replicas, conns := make([]*Replica, devices), make([]*rpc.Conn, devices)
	for n := range replicas {
		replicas[n] = replica(t, "")
		conn, err := rpc.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), &rpc.DialOptions{
			NetDial:   network.Dialer(new(net.Dialer).DialContext),
			Reconnect: rpc.Reconnect{RetryFirst: true, MaxDelay: 50 * time.Millisecond},
			Resume:    true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[n] = conn
		go replicas[n].Sync(t.Context(), NewListsClient(conn)) // over every cut and restart
	}
	var editing sync.WaitGroup
	for n, r := range replicas {
		editing.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for k := range edits {
				id := fmt.Sprint(random.IntN(10))
				e := [...]Edit{add(id, fmt.Sprintf("%d.%d", n, k)), {Item: id, Done: new(random.IntN(2) == 0)}, {Item: id, Deleted: new(random.IntN(2) == 0)}}[random.IntN(3)]
				edit(t, r, e)
				if k%10 == 9 {
					if err := r.Wait(t.Context(), NewListsClient(conns[n])); err != nil {
						t.Error(err)
					}
				}
				if n == 0 && k%20 == 10 {
					stop()
					stop = start()
				}
			}
		})
	}
	editing.Wait()
	defer func() { stop() }()

	server, err := open(file, serverTables)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if last, err := lastChange(t.Context(), server.db); last != devices*edits || err != nil {
		t.Errorf("%d changes are stored for %d edits, %v", last, devices*edits, err)
	}
	all, err := items(t.Context(), server.db, "list = 'home' AND NOT deleted ORDER BY first")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, i := range all {
		want = append(want, fmt.Sprintf("%s %s %t", i.ID, i.Text, i.Done))
	}
	for n, r := range replicas {
		if err := r.Wait(t.Context(), NewListsClient(conns[n])); err != nil {
			t.Error(err)
		}
		if got, waiting := shows(t, r); got != strings.Join(want, "\n") || waiting > 0 {
			t.Errorf("replica %d shows\n%s\nwith %d edits waiting, not\n%s", n, got, waiting, strings.Join(want, "\n"))
		}
	}
	t.Logf("%d connections were made, %d of them cut", network.Stats().Conns, network.Stats().Cuts)
}
