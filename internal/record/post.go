package record

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"
)

// post writes a call by POST, or a batch, as a conversation of its own, which is plain
// JSON-RPC.
func (r *Recorder) post(sent, got *capture, head http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	request, answer := sent.read.Bytes(), got.read.Bytes()
	if r.ended || !isMessage(request) {
		return // a form, for example
	}
	if r.posts == nil {
		r.posts = r.conversation()
	}
	c := r.posts
	c.rewrite = newRewriter(r.hidden, r.Exact)
	r.postings++
	switch {
	case sent.size > r.MaxMessage || got.size > r.MaxMessage:
		r.Log("a POST is over -max-message and not written")
		return
	case len(answer) > 0 && (!isMessage(answer) || head.Get("Content-Encoding") != ""):
		r.Log("the answer to a POST is not JSON and not written")
		return
	}
	c.section(r.postings)
	c.line(arrows[client] + " " + c.rewrite.message(client, request))
	if len(answer) > 0 {
		c.line(arrows[server] + " " + c.rewrite.message(server, answer))
	}
}

// isMessage reports whether body is a message or a batch.
func isMessage(body []byte) bool {
	var batch []envelope
	var one envelope
	if !utf8.Valid(body) {
		return false
	}
	if json.Unmarshal(body, &one) == nil {
		return one.Method != "" || one.ID != nil
	}
	return json.Unmarshal(body, &batch) == nil && len(batch) > 0
}
