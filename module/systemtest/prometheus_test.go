// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// prometheusDir is the example that Prometheus watches.
const prometheusDir = root + "/examples/prometheus"

// tool returns the path of a program that xcaddy.sh test puts on the machine.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: ./xcaddy.sh test says what to install, and as root on Debian installs it", name)
	}
	return path
}

// Ensure that promtool finds no fault in the example's scrape configuration and
// rules, and that the rules speak when they must and are silent otherwise.
func TestAlertRulesPassPromtool(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"check config prometheus.yml", "test rules alerts_test.yml"} {
		cmd := exec.Command(tool(t, "promtool"), strings.Fields(args)...)
		cmd.Dir = prometheusDir
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, output)
		}
	}
}

// prometheus is a Prometheus that watches a gateway.
type prometheus struct {
	g   *gateway
	url string
}

// startPrometheus runs Prometheus with the example's files, faster: it looks and
// judges every second.
func startPrometheus(g *gateway, ports *strings.Replacer) *prometheus {
	t := g.t.(*testing.T)
	t.Helper()
	for _, name := range []string{"prometheus.yml", "alerts.yml"} {
		text, err := os.ReadFile(filepath.Join(prometheusDir, name))
		if err != nil {
			t.Fatal(err)
		}
		g.write(name, strings.ReplaceAll(ports.Replace(string(text)), "_interval: 15s", "_interval: 1s"))
	}
	address := ports.Replace("127.0.0.1:9090")
	cmd := exec.Command(tool(t, "prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus",
		"--web.listen-address="+address, "--log.level=warn")
	log := new(logBuffer)
	cmd.Dir, cmd.Stdout, cmd.Stderr = g.dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", log)
		}
	})
	p := &prometheus{g: g, url: "http://" + address}
	eventually(t, "Prometheus is ready", func() bool {
		resp, err := g.client.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		_, err = drain(resp)
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return p
}

// api asks Prometheus and decodes what it calls data.
func (p *prometheus) api(path string, data any) {
	p.g.t.Helper()
	resp, err := p.g.client.Get(p.url + "/api/v1/" + path)
	if err != nil {
		p.g.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := struct {
		Error string
		Data  any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		p.g.t.Fatalf("%s: %s %v %s", path, resp.Status, err, answer.Error)
	}
}

// hasData reports whether a query has a result, and in it nothing but numbers.
func (p *prometheus) hasData(query string) bool {
	p.g.t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	p.api("query?query="+url.QueryEscape(query), &data)
	for _, r := range data.Result {
		if r.Value[1] == "NaN" {
			return false
		}
	}
	return len(data.Result) > 0
}

// dashboardQueries returns the queries of all panels, with Grafana's variables
// set.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(prometheusDir, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "10s", "$instance", ".*")
	var queries []string
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %q asks nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries = append(queries, variables.Replace(target.Expr))
		}
	}
	return queries
}

// use makes every kind of request once, one of them with a token that partner is
// said to have signed.
func (g *gateway) use(partner string) {
	g.t.Helper()
	const secret = "quickstart-secret-do-not-use-elsewhere"
	token := g.token("shop", secret, "scope", "orders:read")
	g.call("localhost", "/orders/1", token)
	g.call("localhost", "/orders/1", "")
	g.call("localhost", "/internal/1", token)
	claims := fmt.Sprintf(`{"iss":%q,"aud":"http://localhost:8080","sub":"eve","client_id":"eve","jti":"1","iat":1,"exp":%d}`,
		partner, time.Now().Add(time.Hour).Unix())
	encode := base64.RawURLEncoding.EncodeToString
	g.call("localhost", "/orders/1", encode([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"partner-1"}`))+"."+encode([]byte(claims))+"."+encode(make([]byte, 64)))
	g.post("/oauth/introspect", "shop", secret, url.Values{"token": {token}})
	g.post("/oauth/revoke", "shop", secret, url.Values{"token": {token}})
	g.call("localhost", "/orders/1", token)
	// Not as shop, which would have to wait after some of these.
	g.post("/oauth/token", "nobody", "nobody's secret", url.Values{"grant_type": {"client_credentials"}})
}

// Ensure that a Prometheus with the example's files sees a gateway under traffic:
// every query of the dashboard has data, every metric that an alert names exists,
// no rule fails, nobody is woken while all is well, and somebody would be when
// the gateway ends.
func TestPrometheusSeesTheGateway(t *testing.T) {
	t.Parallel()
	g, ports := example(t, "prometheus", "9090")
	p := startPrometheus(g, ports)
	missing := dashboardQueries(t)
	if len(missing) < 20 {
		t.Fatalf("only %d queries", len(missing))
	}
	defer func() {
		for _, query := range missing {
			t.Errorf("no data: %s", query)
		}
	}()
	eventually(t, "every panel has data", func() bool {
		g.use(ports.Replace("http://localhost:8082"))
		var left []string
		for _, query := range missing {
			if !p.hasData(query) {
				left = append(left, query)
			}
		}
		missing = left
		return len(missing) == 0
	})

	var names []string
	p.api("label/__name__/values", &names)
	known := " " + strings.Join(names, " ") + " "
	alerts, err := os.ReadFile(filepath.Join(prometheusDir, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`[( \n]caddy_oauth2_\w+`).FindAllString(string(alerts), -1) {
		if name = name[1:]; !strings.Contains(known, " "+name+" ") {
			t.Errorf("an alert names %s, which no gateway has", name)
		}
	}

	type rule struct {
		Name, State, Health, LastError string
		Labels                         map[string]string
	}
	rules := func() (all []rule) {
		var data struct{ Groups []struct{ Rules []rule } }
		p.api("rules", &data)
		for _, group := range data.Groups {
			all = append(all, group.Rules...)
		}
		return all
	}
	if n, written := len(rules()), strings.Count(string(alerts), "expr:"); n != written {
		t.Errorf("%d rules are loaded of %d", n, written)
	}
	for _, r := range rules() {
		if r.Health != "ok" {
			t.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
		}
	}
	// A scrape that comes too late on a busy machine is forgotten with the next.
	eventually(t, "nobody is about to be woken", func() bool {
		return !slices.ContainsFunc(rules(), func(r rule) bool { return r.Labels["severity"] == "page" && r.State != "inactive" })
	})
	g.follow("examples/prometheus/README.md", ports)

	g.stop()
	eventually(t, "the end of the gateway is noticed", func() bool {
		for _, r := range rules() {
			if r.Name == "GatewayDown" {
				return r.State != "inactive"
			}
		}
		return false
	})
}
