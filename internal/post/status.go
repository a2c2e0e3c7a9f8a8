package post

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// classify decides what a response means.
func (c *Client) classify(resp *http.Response, content []byte) *response {
	r := &response{status: resp.StatusCode, passing: isPassing(resp.StatusCode), notRun: isRefused(resp.StatusCode)}
	if r.passing {
		r.after = RetryAfter(resp.Header.Get("Retry-After"))
	}
	success := resp.StatusCode/100 == 2
	switch {
	case success && len(bytes.TrimSpace(content)) == 0, isAnswer(content) && (success || !isCredentials(resp.StatusCode)):
		r.body = content
	default:
		e := c.errorf(codeOf(resp.StatusCode), fault.Maybe, "the server answered %s%s", resp.Status, c.explain(resp, content))
		if e.Retry = r.after; r.notRun {
			e.Ran = fault.No
		}
		r.err = e
	}
	return r
}

// isAnswer reports whether the body of a response is an answer or a batch.
func isAnswer(content []byte) bool {
	if isBatch(content) {
		return wire.JSON.Check(content, wire.MaxDepth+1) == nil
	}
	var m wire.Message
	err := wire.JSON.DecodePlain(content, &m)
	return m.Answer || err == nil && m.Method == nil
}

func isBatch(content []byte) bool {
	content = bytes.TrimLeft(content, " \t\r\n")
	return len(content) > 0 && content[0] == '['
}

// isPassing reports whether a status is that of a condition that passes.
func isPassing(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// isRefused reports whether a status says that the server, or what is in front of it, has
// not processed the request: RFC 9110, section 15, and RFC 6585. The others of 5xx do
// not, since a proxy sends them as well.
func isRefused(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusProxyAuthRequired, http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong,
		http.StatusUnsupportedMediaType, http.StatusMisdirectedRequest, http.StatusUpgradeRequired, http.StatusTooManyRequests,
		http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return status/100 == 3 && status != http.StatusSeeOther // which is the answer to a request that was
}

func isCredentials(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// codeOf returns the code of the error for a status.
func codeOf(status int) int {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.PermissionDenied
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusTooManyRequests:
		return fault.LimitReached
	}
	return fault.Unavailable
}

// explain says what to do about a response, and what is in it.
func (c *Client) explain(resp *http.Response, content []byte) string {
	advice := ""
	switch status := resp.StatusCode; {
	case status/100 == 3:
		advice = ", a redirect, which a POST does not follow: call " + redirectOf(resp)
	case status == http.StatusNotFound:
		advice = ": is the path of the URL right?"
	case status == http.StatusMethodNotAllowed:
		advice = ": it takes no POST at this path; a WebSocket needs rpc.Dial"
	case status == http.StatusUnsupportedMediaType:
		advice = ": it wants another Content-Type, which HTTPOptions.Header can set"
	case status == http.StatusUpgradeRequired:
		advice = ": it takes WebSockets: use rpc.Dial"
	case status/100 == 2:
		advice = ", and no JSON-RPC: is the path of the URL right?"
	}
	if text := excerpt(resp.Header.Get("Content-Type"), content); text != "" {
		advice += ": " + text
	}
	return advice
}

// redirectOf returns where a response redirects to, without what may be secret in it.
func redirectOf(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return "the right URL"
	}
	to.User, to.RawQuery, to.Fragment = nil, "", ""
	return to.String()
}

// maxExcerpt is how many bytes of a response an error quotes.
const maxExcerpt = 200

// excerpt returns the beginning of a response as an error quotes it. Of HTML, which says
// nothing to a program's log, it is the type.
func excerpt(contentType string, content []byte) string {
	if t, _, _ := mime.ParseMediaType(contentType); strings.Contains(t, "html") {
		return t
	}
	text := strings.TrimSpace(string(content[:min(len(content), maxExcerpt)]))
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return strconv.Quote(text)
	}
	return text
}

// RetryAfter returns the delay of a Retry-After header (RFC 9110, section 10.2.3), at
// most fault.MaxRetry. It is 0 if there is none or it is malformed.
func RetryAfter(header string) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 32)
	if err == nil || errors.Is(err, strconv.ErrRange) { // seconds is the largest uint32 then
		return min(time.Duration(seconds)*time.Second, fault.MaxRetry)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), fault.MaxRetry)
	}
	return 0
}
