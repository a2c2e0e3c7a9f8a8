package loadgen

import "time"

// Cuts are the sockets that were cut, and what became of their connections.
type Cuts struct {
	Cut     int64 `json:"cut"`
	Resumed int64 `json:"resumed"` // with everything in flight
	Anew    int64 `json:"anew"`    // with a new session; what was in flight has failed
	Gone    int64 `json:"gone"`    // not back when the run ended
}

// hold holds the run until the sending is over, and cuts sockets meanwhile.
func (r *run) hold() {
	if r.Cut <= 0 {
		<-r.sending.Done()
		return
	}
	next := time.NewTimer(r.Warmup + r.Cut)
	defer next.Stop()
	for {
		select {
		case <-r.sending.Done():
			return
		case <-next.C:
			for _, l := range r.links {
				r.cut(l)
			}
			next.Reset(r.Cut)
		}
	}
}

func (r *run) cut(l *Link) {
	session, began := l.conn.State().Session, time.Now()
	dials, ok := l.sever()
	if !ok {
		return
	}
	r.wg.Go(func() {
		st, ok := l.back(r.calling, dials)
		r.rec.mu.Lock()
		defer r.rec.mu.Unlock()
		c := &r.rec.cuts
		c.Cut++
		switch {
		case !ok:
			c.Gone++
			return
		case st.Session == session:
			c.Resumed++
		default:
			c.Anew++
		}
		r.rec.outages.record(time.Since(began))
	})
}
