// oidc-provider with a durable store: better-sqlite3, write-ahead log, each commit
// synced. Opaque tokens for client_credentials.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { BENCH_FOLDER, BENCH_LISTEN, BENCH_DATABASE, BENCH_CLIENT, BENCH_SECRET, BENCH_SCOPE } = process.env;
const installed = createRequire(`${BENCH_FOLDER}/`);
const { default: Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));
const Database = installed('better-sqlite3');

const db = new Database(BENCH_DATABASE);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec('CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, payload TEXT, expires INTEGER) WITHOUT ROWID');
const put = db.prepare('INSERT OR REPLACE INTO records VALUES (?, ?, ?)');
const get = db.prepare('SELECT payload FROM records WHERE id = ? AND (expires IS NULL OR expires > ?)');
const remove = db.prepare('DELETE FROM records WHERE id = ?');
const now = () => Math.floor(Date.now() / 1000);

class Adapter {
	constructor(name) { this.name = name; }
	async upsert(id, payload, expiresIn) {
		put.run(`${this.name}:${id}`, JSON.stringify(payload), expiresIn ? now() + expiresIn : null);
	}
	async find(id) {
		const row = get.get(`${this.name}:${id}`, now());
		return row && JSON.parse(row.payload);
	}
	async destroy(id) { remove.run(`${this.name}:${id}`); }
}

const provider = new Provider(`http://${BENCH_LISTEN}`, {
	adapter: Adapter,
	clients: [{
		client_id: BENCH_CLIENT,
		client_secret: BENCH_SECRET,
		grant_types: ['client_credentials'],
		response_types: [],
		redirect_uris: [],
		scope: BENCH_SCOPE,
	}],
	scopes: [BENCH_SCOPE],
	features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
	ttl: { ClientCredentials: 86400 },
});
const [host, port] = BENCH_LISTEN.split(':');
provider.listen(Number(port), host);
