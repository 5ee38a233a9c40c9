BEGIN TRANSACTION;
CREATE TABLE api_key (
	id VARCHAR(12) NOT NULL, 
	verifier VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	scopes JSON NOT NULL, 
	note VARCHAR NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	expires_at_ms BIGINT, 
	revoked_at_ms BIGINT, 
	PRIMARY KEY (id), 
	UNIQUE (sha256)
);
INSERT INTO "api_key" VALUES('0123456789ab','city','0951fa83bbee1573ab32e8f06eb15329fdfe7ca40dd3aff97af98f0fd25b093e','["requests:write", "results:read", "webhooks:write"]','till 3',1800000000000,NULL,NULL);
CREATE TABLE presentation_request (
	id VARCHAR(32) NOT NULL, 
	verifier VARCHAR(64) NOT NULL, 
	request_object VARCHAR NOT NULL, 
	response_key JSON, 
	attributes JSON NOT NULL, 
	purpose VARCHAR NOT NULL, 
	redirect_uri VARCHAR, 
	response_code_sha256 VARCHAR(64), 
	expires_at_ms BIGINT NOT NULL, 
	result_until_ms BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	checks JSON, 
	shown JSON, 
	held JSON, 
	credentials JSON, 
	receipt BLOB, 
	tries INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "presentation_request" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','city','eyJ.e30.c2ln',NULL,'["address"]','住民票',NULL,NULL,1800000300000,1800000900000,'recording','[{"name": "anchor", "passed": true, "detail": ""}]',NULL,'{"address": "\u9752\u8449\u5e02"}','[{"query_id": "resident"}]',X'000172656365697074',0);
CREATE TABLE request_event (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	request_id VARCHAR(32) NOT NULL, 
	verifier VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	at_ms BIGINT NOT NULL, 
	due_ms BIGINT, 
	tries INTEGER NOT NULL
);
INSERT INTO "request_event" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','city','fetched',1795664099852,1800000000000,0);
INSERT INTO "request_event" VALUES(2,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','city','recording',1795664099854,1800000000000,0);
CREATE TABLE standing_access (
	id VARCHAR(32) NOT NULL, 
	standing_grant VARCHAR(32) NOT NULL, 
	use INTEGER NOT NULL, 
	receipt BLOB NOT NULL, 
	is_written BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (standing_grant, use), 
	FOREIGN KEY(standing_grant) REFERENCES standing_grant (id) ON DELETE CASCADE
);
INSERT INTO "standing_access" VALUES('dddddddddddddddddddddddddddddddd','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1,X'72656365697074',0);
CREATE TABLE standing_grant (
	id VARCHAR(32) NOT NULL, 
	verifier VARCHAR(64) NOT NULL, 
	request_object VARCHAR NOT NULL, 
	attributes VARCHAR NOT NULL, 
	purpose VARCHAR NOT NULL, 
	uses INTEGER NOT NULL, 
	answer_until_ms BIGINT NOT NULL, 
	grant_until_ms BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	grant VARCHAR(32), 
	account VARCHAR, 
	receipt_key BLOB, 
	consent VARCHAR, 
	sealed VARCHAR, 
	PRIMARY KEY (id), 
	UNIQUE (grant)
);
INSERT INTO "standing_grant" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','city','eyJ.e30.c2ln','address','Tax',3,1800000000000,1801000000000,'live','cccccccccccccccccccccccccccccccc','x@holder',X'0000000000000000000000000000000000000000000000000000000000000000','eyJ','sealed');
CREATE TABLE webhook (
	verifier VARCHAR(64) NOT NULL, 
	url VARCHAR NOT NULL, 
	since_ms BIGINT NOT NULL, 
	PRIMARY KEY (verifier)
);
INSERT INTO "webhook" VALUES('city','https://city.example/hook',1800000000000);
CREATE INDEX ix_request_event_request_id ON request_event (request_id);
CREATE INDEX ix_request_event_due_ms ON request_event (due_ms);
CREATE INDEX ix_presentation_request_verifier ON presentation_request (verifier);
CREATE INDEX ix_presentation_request_result_until_ms ON presentation_request (result_until_ms);
CREATE INDEX ix_standing_grant_verifier ON standing_grant (verifier);
CREATE INDEX ix_standing_grant_grant_until_ms ON standing_grant (grant_until_ms);
CREATE INDEX ix_standing_access_standing_grant ON standing_access (standing_grant);
CREATE INDEX ix_api_key_verifier ON api_key (verifier);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('request_event',2);
COMMIT;
