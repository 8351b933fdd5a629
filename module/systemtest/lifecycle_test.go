// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// goroutines returns how many goroutines the gateway's process has.
func (g *gateway) goroutines() int {
	g.t.Helper()
	g.client.CloseIdleConnections()
	_, profile := g.adminRequest(http.MethodGet, "/debug/pprof/goroutine?debug=1", nil)
	found := regexp.MustCompile(`total (\d+)`).FindSubmatch(profile)
	if found == nil {
		g.t.Fatalf("no goroutine profile: %.200s", profile)
	}
	n, _ := strconv.Atoi(string(found[1]))
	return n
}

// broken returns configurations that are refused at different moments: when
// they are parsed, provisioned, validated and started.
func broken(t *testing.T, config string) []string {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	return []string{
		strings.Replace(config, "oauth2_protect {", "oauth2_protect {\n\t\talow /x", 1),
		strings.Replace(config, shopSecret, "{file./nowhere/to/be/found}", 1),
		strings.Replace(config, "issuer ", "store bolt /nowhere/tokens.db\n\t\tissuer ", 1),
		config + "http://taken.localhost:" + port(taken.Addr().String()) + " {\n\toauth2_protect user\n}\n",
	}
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// persistent repeats requests whose connection was cut without a word in
// answer. Caddy gives each configuration a listening socket of its own, and what
// waits at the old one when that is closed is cut: no handler can help it.
type persistent struct{ http.RoundTripper }

func (p persistent) RoundTrip(r *http.Request) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		again := r.Clone(r.Context())
		if r.GetBody != nil {
			again.Body, _ = r.GetBody()
		}
		resp, err := p.RoundTripper.RoundTrip(again)
		cut := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
			err != nil && err.Error() == "http: server closed idle connection" // net/http has no name for it
		if !cut || attempt == 3 {
			return resp, err
		}
	}
}

// CloseIdleConnections passes on what http.Client asks for.
func (p persistent) CloseIdleConnections() {
	if closer, ok := p.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// Ensure that a hundred reloads under load, a third of them broken, fail no
// request, lose no state, leak no goroutine and let no counter start anew.
func TestReloadsUnderLoad(t *testing.T) {
	// Without idle connections to the service: those of Caddy's proxy outlive its
	// configuration by two minutes.
	config := strings.ReplaceAll(guarded, "reverse_proxy {$UPSTREAM}", "reverse_proxy {$UPSTREAM} {\n\t\ttransport http {\n\t\t\tkeepalive off\n\t\t}\n\t}")
	g := start(t, config, newUpstream(t).env())
	g.client.Transport = persistent{g.client.Transport}
	refused := broken(t, config)
	revoked := g.shopToken("user")
	g.revoke(revoked)
	kept := g.shopToken("user")
	before := g.goroutines()

	var done atomic.Bool
	var requests atomic.Int64
	var load sync.WaitGroup
	for worker := range 6 {
		load.Go(func() {
			for !done.Load() {
				if status := g.call("api.localhost", "/x", kept); status != http.StatusOK {
					t.Errorf("a request with a valid token got %d", status)
				}
				if status := g.call("api.localhost", "/x", revoked); status != http.StatusUnauthorized {
					t.Errorf("a request with a revoked token got %d", status)
				}
				requests.Add(2)
				if worker == 0 {
					fresh := g.shopToken("user")
					if status := g.call("api.localhost", "/x", fresh); status != http.StatusOK {
						t.Errorf("a request with a new token got %d", status)
					}
				}
			}
		})
	}
	last := 0.0
	for i := range 100 {
		if i%3 == 2 {
			if err := g.reload(refused[i/3%len(refused)]); err == nil {
				t.Errorf("broken configuration %d was taken", i/3%len(refused))
			}
		} else {
			g.mustReload(config + fmt.Sprintf("# %d\n", i))
		}
		if now := sum(g.metrics(), "caddy_oauth2_decisions_total"); now < last {
			t.Errorf("reload %d: the number of decisions went from %v to %v", i, last, now)
		} else {
			last = now
		}
	}
	done.Store(true)
	load.Wait()
	if last == 0 || requests.Load() < 100 {
		t.Errorf("%d requests and %v decisions: there was no load", requests.Load(), last)
	}
	eventually(t, "the goroutines of old configurations are gone", func() bool { return g.goroutines() <= before+3 })
}

// Ensure that the tokens of a client that the configuration no longer names
// are refused at the next request, and those of others are not.
func TestRemovedClientIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	reporter, shop := g.token("reporter", reporterSecret), g.shopToken("read")
	if status := g.call("api.localhost", "/orders/1", reporter); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	g.mustReload(regexp.MustCompile(`(?s)client reporter \{.*?\}\n`).ReplaceAllString(guarded, ""))
	if status := g.call("api.localhost", "/orders/1", reporter); status != http.StatusUnauthorized {
		t.Errorf("a token of the removed client: %d", status)
	}
	if status := g.call("api.localhost", "/orders/1", shop); status != http.StatusOK {
		t.Errorf("a token of another client: %d", status)
	}
}

// held is an [upstream.answer] that announces each request and waits.
func held(arrived, release chan struct{}) func(*http.Request, net.Conn, *bufio.Reader) bool {
	return func(_ *http.Request, conn net.Conn, _ *bufio.Reader) bool {
		arrived <- struct{}{}
		<-release
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nlegacy\n")
		return true
	}
}

// Ensure that SIGTERM lets a request that is with the service finish, and that
// the process then ends without an error.
func TestStopLetsRequestsFinish(t *testing.T) {
	u := newUpstream(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	u.answer = held(arrived, release)
	g := start(t, guarded, u.env())
	token := g.shopToken("user")
	got := make(chan int)
	go func() { got <- g.call("api.localhost", "/x", token) }()
	<-arrived
	code := make(chan int)
	go func() { code <- g.stop() }()
	eventually(t, "the process is told to end", func() bool { return strings.Contains(g.logs.String(), "shutting down apps") })
	close(release)
	if status := <-got; status != http.StatusOK {
		t.Errorf("the request got %d", status)
	}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
}

// Ensure that a request which needs the store after the configuration gave it
// up is answered with 503: it is neither let pass, nor is its token called
// invalid, nor does anything panic.
func TestRequestThatOutlivesTheStore(t *testing.T) {
	t.Parallel()
	// Caddy gives the request time for as long as the machine may need.
	patient := strings.Replace(guarded, "\toauth2 {\n", "\tgrace_period 1m\n\toauth2 {\n", 1)
	g := start(t, patient, newUpstream(t).env())
	g.canary(shopSecret)
	s := g.dial()
	form := "grant_type=client_credentials"
	if err := s.send(fmt.Sprintf("POST /oauth/token HTTP/1.1\r\nHost: localhost:%s\r\nAuthorization: Basic %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		g.port, basic("shop", shopSecret), len(form), form[:1])); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request is being read", func() bool {
		_, stacks := g.adminRequest(http.MethodGet, "/debug/pprof/goroutine?debug=2", nil)
		return strings.Contains(string(stacks), "endpoint.(*Server).ServeHTTP")
	})
	g.mustReload("{\n\timport {$HARNESS}\n\tgrace_period 1m\n}\n\nhttp://localhost:{$PORT} {\n\trespond ok\n}\n")
	if err := s.send(form[1:]); err != nil {
		t.Fatal(err)
	}
	resp, err := s.response()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		body, _ := io.ReadAll(resp.Body)
		t.Errorf("got %s, Retry-After %q: %s", resp.Status, resp.Header.Get("Retry-After"), body)
	}
}

// Ensure that a process which starts while another has the store waits for it
// and says so, and that a reload does not wait.
func TestWaitingForTheStore(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	first := start(t, guarded, u.env())
	shared := strings.Replace(guarded, "issuer ", "store bolt "+first.path("data/caddy/oauth2/tokens.db")+"\n\t\tissuer ", 1)
	second := prepare(t, shared, u.env())
	second.launch()
	eventually(t, "the second process says that it waits", func() bool {
		return strings.Contains(second.logs.String(), "waiting for it to let go")
	})
	third := start(t, "{\n\timport {$HARNESS}\n}\n\nhttp://localhost:{$PORT} {\n\trespond ok\n}\n", u.env())
	if err := third.reload(shared); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a reload to a store that is in use: %v", err)
	}
	first.stop()
	eventually(t, "the second process serves", func() bool { return second.loaded() && accepts("127.0.0.1:"+second.port) })
	second.canary(shopSecret)
	if status := second.call("api.localhost", "/x", second.shopToken("user")); status != http.StatusOK {
		t.Errorf("with the store of the first: %d", status)
	}
}

// Ensure that a store without its key is refused with a message that says what
// to do, and that nothing makes it another key.
func TestStoreWithoutItsKeyIsRefused(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	g.stop()
	key, elsewhere := g.path("data/caddy/oauth2/tokens.key"), g.path("elsewhere.key")
	if err := os.Rename(key, elsewhere); err != nil {
		t.Fatal(err)
	}
	_, message, code := g.caddy("", "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	if code == 0 || !strings.Contains(message, "restore it from a backup, or name the key with seal_key") {
		t.Errorf("exit code %d: %s", code, message)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("there is a new key")
	}
	if err := os.Rename(elsewhere, key); err != nil {
		t.Fatal(err)
	}
	g.start()
	if status := g.call("api.localhost", "/x", token); status != http.StatusOK {
		t.Errorf("with its key again: %d", status)
	}
}

// Ensure that a configuration which is given up after it has started leaves
// nothing behind in the store: not even its new sealing key.
func TestGivenUpConfigurationLeavesNoSealingKey(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	const one, two = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWI="
	with := func(keys string) string {
		return strings.Replace(guarded, "issuer ", "seal_key "+keys+"\n\t\tissuer ", 1)
	}
	g := start(t, with("{env.ONE}"), u.env(), "ONE="+one, "TWO="+two)
	g.canary(one)
	g.canary(two)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for range 5 { // apps start in random order: ours first in some of these
		if err := g.reload(with("{env.TWO} {env.ONE}") + "http://taken.localhost:" + port(taken.Addr().String()) + " {\n}\n"); err == nil {
			t.Fatal("a port that is in use was taken")
		}
	}
	g.mustReload(with("{env.ONE}") + "# again\n")
	g.stop()
	g.write("Caddyfile", with("{env.ONE}"))
	g.start()

	g.mustReload(with("{env.TWO} {env.ONE}"))
	if err := g.reload(with("{env.ONE}")); err == nil {
		t.Error("the store gave up a key that came to serve")
	}
}

// Ensure that a change is a Caddy event, which can be subscribed to.
func TestChangesAreCaddyEvents(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t) // its log is at DEBUG, where Caddy writes each event
	g.revoke(g.shopToken("user"))
	eventually(t, "the event is there", func() bool { return strings.Contains(g.logs.String(), `"name":"oauth2.token_revoked"`) })
}

// Ensure that a client of the store whose id the configuration takes is named at
// the start: it would come to light again, unseen, with its tokens.
func TestHiddenClientsAreNamedAtTheStart(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	g.addClient("twice")
	const warning = "clients of the store have the ids of configured ones"
	if strings.Contains(g.logs.String(), warning) {
		t.Error("a client that only the store has is warned of")
	}
	g.mustReload(strings.Replace(guarded, "client reporter {", "client twice {", 1))
	eventually(t, "the client is named", func() bool {
		log := g.logs.String()
		return strings.Contains(log, warning) && strings.Contains(log, `"clients":["twice"]`)
	})
}
