BEGIN TRANSACTION;
CREATE TABLE alembic_version (version_num text);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE cursors (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	changed_at BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "cursors" VALUES('c','[1]',1795939748125123);
CREATE TABLE notices (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	checkpoint TEXT NOT NULL, 
	action TEXT NOT NULL, 
	action_type TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	owner TEXT, 
	error TEXT
);
INSERT INTO "notices" VALUES(1,'r',0,'rides','a0','act','sending',1,1772452800000000,1772452800000000,NULL,'me',NULL);
CREATE TABLE owners (
	owner TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	process TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	lease_until BIGINT NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO "owners" VALUES('me','there',1,'1',1795939748104879,1795939778104879);
CREATE TABLE parts (
	source TEXT NOT NULL, 
	file TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	state BLOB NOT NULL, 
	PRIMARY KEY (source, file)
);
INSERT INTO "parts" VALUES('s','f','1',X'0001');
CREATE TABLE results (
	seq INTEGER NOT NULL, 
	metrics TEXT NOT NULL, 
	actions TEXT, 
	document TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(seq) REFERENCES runs (seq) ON DELETE CASCADE
);
INSERT INTO "results" VALUES(1,'{}',NULL,'{"status":"success"}');
INSERT INTO "results" VALUES(2,'{}',NULL,'{"status":"success"}');
CREATE TABLE runs (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id TEXT NOT NULL, 
	checkpoint TEXT NOT NULL, 
	state TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	"trigger" TEXT, 
	slot TEXT, 
	accepted_at BIGINT NOT NULL, 
	began_at BIGINT, 
	ended_at BIGINT, 
	status TEXT, 
	source TEXT DEFAULT '' NOT NULL, 
	duration_ms FLOAT, 
	row_count BIGINT, 
	summary TEXT DEFAULT '' NOT NULL, 
	error TEXT, 
	context TEXT, 
	UNIQUE (run_id)
);
INSERT INTO "runs" VALUES(1,'r','rides','running','me',1,'cron','noon',1772452800000000,1772452800000000,NULL,'success','',0.0,NULL,'',NULL,'{"n":1}');
INSERT INTO "runs" VALUES(2,'done','rides','finished','me',1,NULL,NULL,1772452800000000,NULL,1772452800000000,'success','',0.0,NULL,'',NULL,NULL);
CREATE UNIQUE INDEX runs_slot ON runs (slot) WHERE slot is not null;
CREATE INDEX runs_bad ON runs (checkpoint, accepted_at) WHERE status in ('warning', 'failure', 'error');
CREATE INDEX runs_active ON runs (owner) WHERE state in ('accepted', 'running');
CREATE INDEX runs_by_checkpoint ON runs (checkpoint, accepted_at);
CREATE INDEX notices_pending ON notices (due_at) WHERE state in ('owed', 'sending');
CREATE UNIQUE INDEX notices_of_run ON notices (run_id, position);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',2);
INSERT INTO "sqlite_sequence" VALUES('notices',1);
COMMIT;
