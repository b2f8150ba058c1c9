CREATE TABLE hookgate_ledger(version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE hookgate_meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE hookgate_receivers(receiver INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, backlog INTEGER NOT NULL DEFAULT 0);
CREATE TABLE hookgate_scopes(
  scope INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, source TEXT NOT NULL, tenant TEXT NOT NULL, service TEXT NOT NULL,
  UNIQUE(receiver, source, tenant, service));
CREATE TABLE hookgate_handlers(
  handler INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, name TEXT NOT NULL, hold INTEGER NOT NULL DEFAULT 0,
  UNIQUE(receiver, name));
CREATE TABLE hookgate_deliveries(delivery INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, head TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE hookgate_events(
  event INTEGER PRIMARY KEY, delivery INTEGER NOT NULL, position INTEGER NOT NULL, scope INTEGER NOT NULL,
  id TEXT NOT NULL, type TEXT NOT NULL, digest TEXT NOT NULL, accepted_ms INTEGER NOT NULL,
  remember_until INTEGER NOT NULL, remembered INTEGER NOT NULL DEFAULT 1);
CREATE TABLE hookgate_tasks(
  event INTEGER NOT NULL, handler INTEGER NOT NULL, state INTEGER NOT NULL, due INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0, consumer INTEGER,
  started_ms INTEGER, duration_ms INTEGER, order_key TEXT, error TEXT,
  PRIMARY KEY(event, handler)) WITHOUT ROWID;
CREATE TABLE hookgate_attempts(
  event INTEGER NOT NULL, handler INTEGER NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL,
  started_ms INTEGER NOT NULL, duration_ms INTEGER, outcome TEXT NOT NULL, error TEXT,
  PRIMARY KEY(event, handler, number)) WITHOUT ROWID;
CREATE TABLE hookgate_replays(event INTEGER NOT NULL, at_ms INTEGER NOT NULL, handlers TEXT NOT NULL);
CREATE TABLE hookgate_consumers(
  consumer INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, beat INTEGER NOT NULL, lease_ms INTEGER NOT NULL);
CREATE TABLE hookgate_tokens(token TEXT PRIMARY KEY, delivery TEXT NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE hookgate_minutes(
  minute INTEGER PRIMARY KEY, accepted INTEGER NOT NULL DEFAULT 0, handled INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0);
INSERT INTO hookgate_ledger VALUES (1,'2026-03-01 12:00:00');
INSERT INTO hookgate_meta VALUES ('clock',1772366482000);
INSERT INTO hookgate_meta VALUES ('lastEvent',19);
INSERT INTO hookgate_receivers VALUES (1,'orders',19);
INSERT INTO hookgate_receivers VALUES (2,'returns',1);
INSERT INTO hookgate_scopes VALUES (1,1,'','acme','shop');
INSERT INTO hookgate_scopes VALUES (2,2,'','acme','shop');
INSERT INTO hookgate_handlers VALUES (1,1,'ship',0);
INSERT INTO hookgate_handlers VALUES (2,1,'mail',0);
INSERT INTO hookgate_handlers VALUES (3,1,'audit',0);
INSERT INTO hookgate_handlers VALUES (4,1,'charge',0);
INSERT INTO hookgate_handlers VALUES (5,1,'hold',1);
INSERT INTO hookgate_handlers VALUES (6,2,'ship',0);
INSERT INTO hookgate_deliveries VALUES (1,1772366402000,'{"requestId":"req-100-4","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json","x-topic":["a","b"]},"address":"203.0.113.7","caller":{"method":"jwt","tenant":"acme","service":"shop","credentialId":"jwt-1","claims":{"sub":"s","jti":"jti-1"}},"bodyKind":"json"}',X'00FF0A0D');
INSERT INTO hookgate_deliveries VALUES (2,1772366405000,'{"requestId":"req-100-20","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A22646F6E652061667465722061206661696C757265227D');
INSERT INTO hookgate_deliveries VALUES (3,1772366410000,'{"requestId":"req-100-4","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2264656164227D');
INSERT INTO hookgate_deliveries VALUES (4,1772366413000,'{"requestId":"req-100-16","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226465616420627920617474656D707473227D');
INSERT INTO hookgate_deliveries VALUES (5,1772366417000,'{"requestId":"req-112-6","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A227061726B6564227D');
INSERT INTO hookgate_deliveries VALUES (6,1772366418000,'{"requestId":"req-100-7","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2264726F70706564227D');
INSERT INTO hookgate_deliveries VALUES (7,1772366420000,'{"requestId":"req-100-17","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2264726F70706564207768656E2064656164227D');
INSERT INTO hookgate_deliveries VALUES (8,1772366424000,'{"requestId":"req-114-20","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A227265706C617965642C20646F6E6520616761696E227D');
INSERT INTO hookgate_deliveries VALUES (9,1772366430000,'{"requestId":"req-114-20","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A227265706C6179656420666F7220616E6F74686572227D');
INSERT INTO hookgate_deliveries VALUES (10,1772366434000,'{"requestId":"req-105-7","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2269676E6F726564227D');
INSERT INTO hookgate_deliveries VALUES (11,1772366435000,'{"requestId":"req-102-14","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226669727374206F66207468726565227D');
INSERT INTO hookgate_deliveries VALUES (14,1772366442000,'{"requestId":"req-108-21","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226C6F73742C207468656E2074616B656E206F766572227D');
INSERT INTO hookgate_deliveries VALUES (15,1772366448000,'{"requestId":"req-103-10","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A22676976656E206261636B227D');
INSERT INTO hookgate_deliveries VALUES (18,1772366457000,'{"requestId":"req-112-23","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A227075726765642C20746865206F74686572207761697473227D');
INSERT INTO hookgate_deliveries VALUES (20,1772366461000,'{"requestId":"req-114-20","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2272656D656D6265726564206E6F206C6F6E676572227D');
INSERT INTO hookgate_deliveries VALUES (21,1772366464000,'{"requestId":"req-107-15","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920612C207265747279696E67227D');
INSERT INTO hookgate_deliveries VALUES (22,1772366464000,'{"requestId":"req-107-13","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920612C20626568696E64227D');
INSERT INTO hookgate_deliveries VALUES (23,1772366468000,'{"requestId":"req-107-11","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920622C2064656164227D');
INSERT INTO hookgate_deliveries VALUES (24,1772366468000,'{"requestId":"req-107-13","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920622C20626568696E64227D');
INSERT INTO hookgate_deliveries VALUES (25,1772366471000,'{"requestId":"req-107-14","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920632C2072756E6E696E67227D');
INSERT INTO hookgate_deliveries VALUES (26,1772366471000,'{"requestId":"req-107-13","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920632C20626568696E64227D');
INSERT INTO hookgate_deliveries VALUES (27,1772366472000,'{"requestId":"req-107-14","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920642C2077616974696E67227D');
INSERT INTO hookgate_deliveries VALUES (28,1772366472000,'{"requestId":"req-107-13","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226B657920642C20626568696E64227D');
INSERT INTO hookgate_deliveries VALUES (29,1772366473000,'{"requestId":"req-110-11","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226E756C5C753030303020626568696E64227D');
INSERT INTO hookgate_deliveries VALUES (33,1772366474000,'{"requestId":"req-111-19","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A226F6620616E6F74686572207265636569766572227D');
INSERT INTO hookgate_deliveries VALUES (34,1772366475000,'{"requestId":"req-116-20","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2274726965642C20616E642064756520616761696E227D');
INSERT INTO hookgate_deliveries VALUES (35,1772366479000,'{"requestId":"req-119-7","method":"POST","url":"/hooks/orders?shop=7","headers":{"content-type":"application/json"},"address":"203.0.113.7","caller":{"method":"service-key","tenant":"acme","service":"shop","credentialId":"key-1"},"bodyKind":"json"}',X'7B226964223A2277616974696E67227D');
INSERT INTO hookgate_events VALUES (1,1,0,1,'done','order.paid','AP8KDQ==',1772366403000,4925966403000,1);
INSERT INTO hookgate_events VALUES (2,2,0,1,'done after a failure','order.paid','eyJpZCI6ImRvbmUgYWZ0ZXIgYSBmYWlsdXJlIn0=',1772366406000,4925966406000,1);
INSERT INTO hookgate_events VALUES (3,3,0,1,'dead','order.paid','eyJpZCI6ImRlYWQifQ==',1772366411000,4925966411000,1);
INSERT INTO hookgate_events VALUES (4,4,0,1,'dead by attempts','order.paid','eyJpZCI6ImRlYWQgYnkgYXR0ZW1wdHMifQ==',1772366414000,4925966414000,1);
INSERT INTO hookgate_events VALUES (5,5,0,1,'parked','order.paid','eyJpZCI6InBhcmtlZCJ9',1772366418000,4925966418000,1);
INSERT INTO hookgate_events VALUES (6,6,0,1,'dropped','order.paid','eyJpZCI6ImRyb3BwZWQifQ==',1772366419000,4925966419000,1);
INSERT INTO hookgate_events VALUES (7,7,0,1,'dropped when dead','order.paid','eyJpZCI6ImRyb3BwZWQgd2hlbiBkZWFkIn0=',1772366421000,4925966421000,1);
INSERT INTO hookgate_events VALUES (8,8,0,1,'replayed, done again','order.paid','eyJpZCI6InJlcGxheWVkLCBkb25lIGFnYWluIn0=',1772366425000,4925966425000,1);
INSERT INTO hookgate_events VALUES (9,9,0,1,'replayed for another','order.paid','eyJpZCI6InJlcGxheWVkIGZvciBhbm90aGVyIn0=',1772366431000,4925966431000,1);
INSERT INTO hookgate_events VALUES (10,10,0,1,'ignored','order.unknown','eyJpZCI6Imlnbm9yZWQifQ==',1772366435000,4925966435000,1);
INSERT INTO hookgate_events VALUES (11,11,0,1,'first of three','order.paid','eyJpZCI6ImZpcnN0IG9mIHRocmVlIn0=',1772366436000,4925966436000,1);
INSERT INTO hookgate_events VALUES (12,11,1,1,'second of three','order.paid','eyJpZCI6ImZpcnN0IG9mIHRocmVlIn0=',1772366436000,4925966436000,1);
INSERT INTO hookgate_events VALUES (13,11,2,1,'third of three','order.paid','eyJpZCI6ImZpcnN0IG9mIHRocmVlIn0=',1772366436000,4925966436000,1);
INSERT INTO hookgate_events VALUES (14,14,0,1,'lost, then taken over','order.paid','eyJpZCI6Imxvc3QsIHRoZW4gdGFrZW4gb3ZlciJ9',1772366443000,4925966443000,1);
INSERT INTO hookgate_events VALUES (15,15,0,1,'given back','order.paid','eyJpZCI6ImdpdmVuIGJhY2sifQ==',1772366449000,4925966449000,1);
INSERT INTO hookgate_events VALUES (16,0,0,1,'purged, remembered','order.paid','eyJpZCI6InB1cmdlZCwgcmVtZW1iZXJlZCJ9',1772366452000,4925966452000,1);
INSERT INTO hookgate_events VALUES (18,0,0,1,'purged, the other waits','order.paid','eyJpZCI6InB1cmdlZCwgdGhlIG90aGVyIHdhaXRzIn0=',1772366458000,4925966458000,1);
INSERT INTO hookgate_events VALUES (19,18,1,1,'the other of the purged','order.paid','eyJpZCI6InB1cmdlZCwgdGhlIG90aGVyIHdhaXRzIn0=',1772366458000,4925966458000,1);
INSERT INTO hookgate_events VALUES (20,20,0,1,'remembered no longer','order.paid','eyJpZCI6InJlbWVtYmVyZWQgbm8gbG9uZ2VyIn0=',1772366462000,1772366462001,1);
INSERT INTO hookgate_events VALUES (21,21,0,1,'key a, retrying','order.paid','eyJpZCI6ImtleSBhLCByZXRyeWluZyJ9',1772366465000,4925966465000,1);
INSERT INTO hookgate_events VALUES (22,22,0,1,'key a, behind','order.paid','eyJpZCI6ImtleSBhLCBiZWhpbmQifQ==',1772366465000,4925966465000,1);
INSERT INTO hookgate_events VALUES (23,23,0,1,'key b, dead','order.paid','eyJpZCI6ImtleSBiLCBkZWFkIn0=',1772366469000,4925966469000,1);
INSERT INTO hookgate_events VALUES (24,24,0,1,'key b, behind','order.paid','eyJpZCI6ImtleSBiLCBiZWhpbmQifQ==',1772366469000,4925966469000,1);
INSERT INTO hookgate_events VALUES (25,25,0,1,'key c, running','order.paid','eyJpZCI6ImtleSBjLCBydW5uaW5nIn0=',1772366472000,4925966472000,1);
INSERT INTO hookgate_events VALUES (26,26,0,1,'key c, behind','order.paid','eyJpZCI6ImtleSBjLCBiZWhpbmQifQ==',1772366472000,4925966472000,1);
INSERT INTO hookgate_events VALUES (27,27,0,1,'key d, waiting','order.paid','eyJpZCI6ImtleSBkLCB3YWl0aW5nIn0=',1772366473000,4925966473000,1);
INSERT INTO hookgate_events VALUES (28,28,0,1,'key d, behind','order.paid','eyJpZCI6ImtleSBkLCBiZWhpbmQifQ==',1772366473000,4925966473000,1);
INSERT INTO hookgate_events VALUES (29,29,0,1,CAST(X'01226E756C5C753030303020626568696E6422' AS TEXT),'order.paid','eyJpZCI6Im51bFx1MDAwMCBiZWhpbmQifQ==',1772366474000,4925966474000,1);
INSERT INTO hookgate_events VALUES (30,29,1,1,CAST(X'01225C756438303020616C6F6E6522' AS TEXT),'order.paid','eyJpZCI6Im51bFx1MDAwMCBiZWhpbmQifQ==',1772366474000,4925966474000,1);
INSERT INTO hookgate_events VALUES (31,29,2,1,CAST(X'01225C753030303120696E2066726F6E7422' AS TEXT),'order.paid','eyJpZCI6Im51bFx1MDAwMCBiZWhpbmQifQ==',1772366474000,4925966474000,1);
INSERT INTO hookgate_events VALUES (32,29,3,1,CAST(X'5A6FC3AB20F09FAA9D' AS TEXT),'order.paid','eyJpZCI6Im51bFx1MDAwMCBiZWhpbmQifQ==',1772366474000,4925966474000,1);
INSERT INTO hookgate_events VALUES (33,33,0,2,'of another receiver','order.paid','eyJpZCI6Im9mIGFub3RoZXIgcmVjZWl2ZXIifQ==',1772366475000,4925966475000,1);
INSERT INTO hookgate_events VALUES (34,34,0,1,'tried, and due again','order.paid','eyJpZCI6InRyaWVkLCBhbmQgZHVlIGFnYWluIn0=',1772366476000,4925966476000,1);
INSERT INTO hookgate_events VALUES (35,35,0,1,'waiting','order.paid','eyJpZCI6IndhaXRpbmcifQ==',1772366480000,4925966480000,1);
INSERT INTO hookgate_tasks VALUES (1,1,3,1772366403000,1,1,NULL,1772366404000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (2,1,3,1772366408000,2,2,NULL,1772366409000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (3,1,4,1772366413000,1,1,NULL,1772366412000,NULL,NULL,'{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_tasks VALUES (4,1,4,1772366416000,1,1,NULL,1772366415000,NULL,NULL,'{"name":"LeaseLostError","code":"ERR_LEASE_LOST","message":"the process that ran it ended or stalled in its last attempt"}');
INSERT INTO hookgate_tasks VALUES (5,1,4,1772366418000,0,0,NULL,NULL,NULL,NULL,'{"name":"EventInvalidError","code":"ERR_EVENT_INVALID","message":"bad","issues":["total: a number"]}');
INSERT INTO hookgate_tasks VALUES (5,2,4,1772366418000,0,0,NULL,NULL,NULL,NULL,'{"name":"EventInvalidError","code":"ERR_EVENT_INVALID","message":"bad","issues":["total: a number"]}');
INSERT INTO hookgate_tasks VALUES (6,1,5,1772366419000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (7,1,5,1772366423000,1,1,NULL,1772366422000,NULL,NULL,'{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_tasks VALUES (8,1,3,1772366428000,1,3,NULL,1772366429000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (9,1,3,1772366431000,1,1,NULL,1772366432000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (9,3,0,1772366434000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (11,1,3,1772366436000,1,1,NULL,1772366437000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (12,1,0,4925966440000,1,1,NULL,1772366439000,NULL,NULL,'{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_tasks VALUES (12,2,3,1772366436000,1,1,NULL,1772366441000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (14,2,3,1772366445000,2,2,NULL,1772366447000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (15,2,2,1772366451000,1,2,7,1772366477000,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (19,3,0,1772366458000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (20,4,3,1772366462000,1,1,NULL,1772366463000,1000,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (21,1,0,4925966468000,1,1,NULL,1772366467000,NULL,'a','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_tasks VALUES (22,1,1,1772366465000,0,0,NULL,NULL,NULL,'a',NULL);
INSERT INTO hookgate_tasks VALUES (23,5,4,1772366471000,1,1,NULL,1772366470000,NULL,'b','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_tasks VALUES (24,5,1,1772366469000,0,0,NULL,NULL,NULL,'b',NULL);
INSERT INTO hookgate_tasks VALUES (25,4,2,1772366472000,1,1,7,1772366481000,NULL,'c',NULL);
INSERT INTO hookgate_tasks VALUES (26,4,1,1772366472000,0,0,NULL,NULL,NULL,'c',NULL);
INSERT INTO hookgate_tasks VALUES (27,1,0,1772366473000,0,0,NULL,NULL,NULL,'d',NULL);
INSERT INTO hookgate_tasks VALUES (28,1,1,1772366473000,0,0,NULL,NULL,NULL,'d',NULL);
INSERT INTO hookgate_tasks VALUES (29,3,0,1772366474000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (30,3,0,1772366474000,0,0,NULL,NULL,NULL,CAST(X'01225C753030303022' AS TEXT),NULL);
INSERT INTO hookgate_tasks VALUES (31,3,0,1772366474000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (32,3,0,1772366474000,0,0,NULL,NULL,NULL,CAST(X'01225C753030303122' AS TEXT),NULL);
INSERT INTO hookgate_tasks VALUES (33,6,0,1772366475000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (34,2,0,1772366479000,1,1,NULL,1772366478000,NULL,NULL,'{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_tasks VALUES (35,1,0,1772366480000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (35,2,0,1772366480000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_tasks VALUES (35,3,0,1772366480000,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO hookgate_attempts VALUES (2,1,1,1,1772366407000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (3,1,1,1,1772366412000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (4,1,1,1,1772366415000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (7,1,1,1,1772366422000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (8,1,1,1,1772366426000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (12,1,1,1,1772366439000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (14,2,1,1,1772366444000,NULL,'lost',NULL);
INSERT INTO hookgate_attempts VALUES (21,1,1,1,1772366467000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (23,5,1,1,1772366470000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_attempts VALUES (34,2,1,1,1772366478000,1000,'failed','{"name":"TypeError","code":"E_NET","message":"fetch failed"}');
INSERT INTO hookgate_replays VALUES (8,1772366428000,'["ship"]');
INSERT INTO hookgate_replays VALUES (9,1772366434000,'["audit"]');
INSERT INTO hookgate_consumers VALUES (7,1,2,1000);
INSERT INTO hookgate_tokens VALUES ('jti-1','delivery-1',4925966400000);
INSERT INTO hookgate_minutes VALUES (29539440,19,9,6,6);
INSERT INTO hookgate_minutes VALUES (29539441,16,2,3,1);
CREATE UNIQUE INDEX hookgate_events_by_id ON hookgate_events(scope, id) WHERE remembered = 1;
CREATE INDEX hookgate_events_further ON hookgate_events(delivery) WHERE event <> delivery;
CREATE INDEX hookgate_events_emptied ON hookgate_events(remember_until) WHERE delivery = 0;
CREATE INDEX hookgate_tasks_waiting ON hookgate_tasks(handler, due, event) WHERE state = 0;
CREATE INDEX hookgate_tasks_running ON hookgate_tasks(consumer) WHERE state = 2;
CREATE INDEX hookgate_tasks_dead ON hookgate_tasks(handler, event) WHERE state = 4;
CREATE INDEX hookgate_tasks_in_order ON hookgate_tasks(handler, order_key, event)
  WHERE order_key IS NOT NULL AND state IN (0, 1, 2, 4);
CREATE INDEX hookgate_replays_of_event ON hookgate_replays(event);
CREATE INDEX hookgate_tokens_by_end ON hookgate_tokens(expires_ms);
