// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exampleFile returns a file of an example.
func exampleFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// groups returns, sorted and once each, what the group of a pattern matches in
// text.
func groups(text, pattern string) []string {
	var found []string
	for _, match := range regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// deployed follows the README of an example, which makes its secrets, and runs
// its Caddyfile with names, ports and paths of this machine. It returns the
// gateway and the client's secret.
func deployed(t *testing.T, name, secrets string, paths ...string) (*gateway, *upstream, string) {
	t.Helper()
	g, u := prepare(t, ""), newUpstream(t)
	auth, api := "http://localhost:"+g.port, "http://api.localhost:"+g.port
	here := strings.NewReplacer(append(paths,
		"https://auth.example.com", auth, "auth.example.com {", auth+" {", "api.example.com {", api+" {",
		"orders:8081", u.address, "127.0.0.1:8081", u.address, "unix//run/caddy/admin.sock|0600", g.admin)...)
	g.write("Caddyfile", strings.Replace(here.Replace(exampleFile(t, name+"/Caddyfile")),
		"\n{\n", "\n{\n\tauto_https off\n\tdefault_bind 127.0.0.1\n", 1))
	g.env = append(g.env, "CADDY_ADMIN="+g.admin)
	g.follow("examples/"+name+"/README.md", strings.NewReplacer("/etc/caddy/", g.path("")+"/"))
	files, err := filepath.Glob(g.path(secrets + "/*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the README makes %v %v", files, err)
	}
	secret, err := os.ReadFile(g.path(secrets + "/shop"))
	if err != nil {
		t.Fatal(err)
	}
	g.start()
	return g, u, g.canary(string(secret))
}

// serves checks that a deployed gateway issues tokens, obeys them, and keeps its
// store below data.
func (g *gateway) serves(u *upstream, secret, data string) {
	t := g.t
	t.Helper()
	token := g.token("shop", secret)
	if status := g.call("api.localhost", "/orders/1", token); status != http.StatusOK || u.count() != 1 {
		t.Errorf("with a token: %d", status)
	}
	if status := g.call("api.localhost", "/orders/1", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if _, err := os.Stat(filepath.Join(data, "oauth2/tokens.db")); err != nil {
		t.Error(err)
	}
	// The sealing key is where the operator has put it, and nowhere else.
	if _, err := os.Stat(filepath.Join(data, "oauth2/tokens.key")); !os.IsNotExist(err) {
		t.Errorf("a key beside the store: %v", err)
	}
}

// Ensure that systemd finds nothing to say about the unit, that the unit gives
// away little, and that it, the Caddyfile and the README agree about every path.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	unit, config := exampleFile(t, "systemd/caddy-oauth2.service"), exampleFile(t, "systemd/Caddyfile")
	file := filepath.Join(t.TempDir(), "caddy-oauth2.service")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, "/usr/local/bin/caddy", self)), 0o600); err != nil {
		t.Fatal(err)
	}
	analyze := tool(t, "systemd-analyze")
	if output, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(output) != 0 {
		t.Errorf("%v %s", err, output)
	}
	// 2.0 of 10: what is left is the network, a port below 1024 and /proc.
	if output, err := exec.Command(analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	loaded := groups(unit, `^LoadCredential=(\w+):/etc/caddy/credentials/`)
	if used := groups(config, `\{file\./run/credentials/caddy-oauth2\.service/(\w+)\}`); !slices.Equal(used, loaded) {
		t.Errorf("the unit has the credentials %v, the Caddyfile uses %v", loaded, used)
	}
	if made := groups(exampleFile(t, "systemd/README.md"), `> /etc/caddy/credentials/(\w+)$`); !slices.Equal(made, loaded) {
		t.Errorf("the unit has the credentials %v, the README makes %v", loaded, made)
	}
	if paths := groups(unit, `^Exec\w+=/usr/local/bin/caddy \w+ --config (\S+)`); !slices.Equal(paths, []string{"/etc/caddy/Caddyfile"}) {
		t.Errorf("the unit names %v", paths)
	}
	if !strings.Contains(unit, "RuntimeDirectory=caddy\n") || !strings.Contains(config, "admin unix//run/caddy/") {
		t.Error("the socket is not in the unit's runtime directory")
	}
}

// Ensure that the Caddyfile of the systemd example serves with the secrets that
// its README makes, and keeps its store in the unit's state directory.
func TestSystemdExampleServes(t *testing.T) {
	t.Parallel()
	unit := exampleFile(t, "systemd/caddy-oauth2.service")
	g, u, secret := deployed(t, "systemd", "credentials", "/run/credentials/caddy-oauth2.service/", "credentials/")
	state, data := groups(unit, `^StateDirectory=(\w+)$`), groups(unit, ` XDG_DATA_HOME=(\S+)`)
	if !slices.Equal(state, []string{"caddy"}) || !slices.Equal(data, []string{"%S"}) {
		t.Fatalf("state %v, data %v: Caddy's data is in the folder caddy of XDG_DATA_HOME", state, data)
	}
	g.serves(u, secret, g.path("data/caddy"))
}

// Ensure that every file that the Dockerfile copies exists, that it builds as
// xcaddy.sh does, and that Dockerfile, compose file, Caddyfile and README agree.
func TestDockerFilesAgree(t *testing.T) {
	t.Parallel()
	docker, compose, config := exampleFile(t, "docker/Dockerfile"), exampleFile(t, "docker/compose.yaml"), exampleFile(t, "docker/Caddyfile")
	stages := groups(docker, `^FROM \S+ AS (\w+)$`)
	for _, copied := range groups(docker, `^COPY ([^-].*) \S+$`) {
		for _, name := range strings.Fields(copied) {
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, stage := range append(groups(docker, `^COPY --from=(\w+) `), groups(compose, `target: (\w+)$`)...) {
		if !slices.Contains(stages, stage) {
			t.Errorf("no stage %s in %v", stage, stages)
		}
	}
	for _, built := range groups(docker, `go build .* -o \S+ (\S+)$`) {
		if _, err := os.Stat(filepath.Join(root, built, "main.go")); err != nil {
			t.Error(err)
		}
	}
	const flags = `go build -trimpath -ldflags '-s -w' -tags nobadger,nomysql,nopgx -o `
	script, err := os.ReadFile(filepath.Join(root, "xcaddy.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), flags) || !strings.Contains(docker, flags) {
		t.Errorf("not both build with %s", flags)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if image, module := groups(docker, `^FROM golang:([\d.]+)-`), groups(string(mod), `^go (\d+\.\d+)`); !slices.Equal(image, module) {
		t.Errorf("built by Go %v, the module wants %v", image, module)
	}
	if users := groups(docker, `^USER (\d+):`); !slices.Equal(users, []string{"65532"}) || strings.Count(docker, "\nUSER ") != len(stages)-1 {
		t.Errorf("users %v", users)
	}
	for _, guard := range []string{"read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"} {
		if n := strings.Count(compose, guard); n != len(stages)-1 {
			t.Errorf("%q stands %d times in the compose file", guard, n)
		}
	}
	used := groups(config, `\{file\./run/secrets/(\w+)\}`)
	for what, names := range map[string][]string{
		"the compose file": groups(compose, `file: \./secrets/(\w+)$`),
		"the service":      groups(strings.NewReplacer("[", "\n", ", ", "\n", "]", "\n").Replace(groups(compose, `secrets: (\[.*\])`)[0]), `^(\w+)$`),
		"the README":       groups(exampleFile(t, "docker/README.md"), `> secrets/(\w+)$`),
	} {
		if !slices.Equal(names, used) {
			t.Errorf("%s has the secrets %v, the Caddyfile uses %v", what, names, used)
		}
	}
	if in, out := groups(docker, `"--config", "(\S+)"`), groups(compose, `\./Caddyfile:(\S+):ro$`); !slices.Equal(in, out) || len(in) != 1 {
		t.Errorf("the image reads %v, mounted is %v", in, out)
	}
	if data := groups(docker, `XDG_DATA_HOME=(\S+)`); !slices.Equal(data, groups(docker, `^VOLUME (\S+)$`)) || !slices.Equal(data, groups(compose, `- data:(\S+)$`)) {
		t.Errorf("Caddy's data is not on the volume: %v", data)
	}
}

// Ensure that the Caddyfile of the Docker example serves with the secrets that
// its README makes, that the address which the image's health check asks says
// healthy and leads nowhere else, and that a new configuration is taken from
// standard input.
func TestDockerExampleServes(t *testing.T) {
	t.Parallel()
	health := groups(exampleFile(t, "docker/Dockerfile"), `"http://127\.0\.0\.1:8090([^"]+)"\]$`)
	if len(health) != 1 {
		t.Fatal("no health check")
	}
	port := freePort(t)
	g, u, secret := deployed(t, "docker", "secrets", "/run/secrets/", "secrets/", "127.0.0.1:8090", "127.0.0.1:"+port)
	g.serves(u, secret, g.path("data/caddy"))
	for path, expected := range map[string]int{health[0]: http.StatusOK, "/oauth/token": http.StatusNotFound, "/orders/1": http.StatusNotFound} {
		resp, err := g.client.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(resp); err != nil || resp.StatusCode != expected {
			t.Errorf("%s: %d %v", path, resp.StatusCode, err)
		}
	}
	changed := strings.Replace(mustRead(t, g.path("Caddyfile")), "public GET /health", "public GET /open", 1)
	if _, stderr, code := g.caddy(changed, "reload", "--config", "-", "--adapter", "caddyfile"); code != 0 {
		t.Fatal(stderr)
	}
	g.settle()
	if status := g.call("api.localhost", "/open", ""); status != http.StatusOK {
		t.Errorf("after the reload: %d", status)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
