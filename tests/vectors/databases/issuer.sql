BEGIN TRANSACTION;
CREATE TABLE authorization (
	request_hash VARCHAR(64) NOT NULL, 
	parameters BLOB NOT NULL, 
	code_hash VARCHAR(64), 
	token_hash VARCHAR(64), 
	expires_at_ms BIGINT NOT NULL, 
	forgotten_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (request_hash), 
	UNIQUE (code_hash)
);
INSERT INTO "authorization" VALUES('qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq',X'7365616C6564',NULL,NULL,1800000000009,1800000000099);
CREATE TABLE batch (
	batch_id VARCHAR(32) NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	list_id VARCHAR(32) NOT NULL, 
	first_place INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	done INTEGER NOT NULL, 
	last_reference VARCHAR(64) NOT NULL, 
	letters_bytes BIGINT NOT NULL, 
	part_roots BLOB NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (batch_id), 
	UNIQUE (run)
);
INSERT INTO "batch" VALUES('99999999999999999999999999999999','run','sealed','11111111111111111111111111111111',0,2,2,'case-2',10,X'0000000000000000000000000000000000000000000000000000000000000000',1800000000009);
CREATE TABLE credential (
	number INTEGER NOT NULL, 
	record_id VARCHAR(32) NOT NULL, 
	reference VARCHAR(64), 
	state VARCHAR(16) NOT NULL, 
	list_id VARCHAR(32), 
	list_index INTEGER, 
	batch_id VARCHAR(32), 
	leaf BLOB, 
	position INTEGER, 
	issued_at_ms BIGINT NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	notification_hash VARCHAR(64), 
	event VARCHAR(32), 
	PRIMARY KEY (number), 
	UNIQUE (record_id)
);
INSERT INTO "credential" VALUES(1,'abababababababababababababababab','case-1','active','11111111111111111111111111111111',2,NULL,NULL,NULL,1800000000000,1800000000009,NULL,NULL);
CREATE TABLE enrolment (
	code_hash VARCHAR(64) NOT NULL, 
	tries_left INTEGER NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	account_id VARCHAR(320), 
	PRIMARY KEY (code_hash)
);
INSERT INTO "enrolment" VALUES('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',1,1800000001000,NULL);
CREATE TABLE offer (
	offer_hash VARCHAR(64) NOT NULL, 
	code_hash VARCHAR(64) NOT NULL, 
	tx_code_hash VARCHAR(64) NOT NULL, 
	tries_left INTEGER NOT NULL, 
	token_hash VARCHAR(64), 
	attributes BLOB NOT NULL, 
	reference VARCHAR(64), 
	expires_at_ms BIGINT NOT NULL, 
	leased_until_ms BIGINT, 
	needs_card BOOLEAN NOT NULL, 
	dpop_jkt VARCHAR(43), 
	client_id VARCHAR(256), 
	identifier VARCHAR(64), 
	review_hash VARCHAR(64), 
	review VARCHAR(16), 
	review_attributes BLOB, 
	transaction_hash VARCHAR(64), 
	requested BLOB, 
	issued BLOB, 
	prepared_record VARCHAR(32), 
	PRIMARY KEY (offer_hash), 
	UNIQUE (code_hash), 
	UNIQUE (token_hash), 
	UNIQUE (review_hash)
);
INSERT INTO "offer" VALUES('oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt',2,NULL,X'7365616C6564','case-1',1800000001000,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE offer_key (
	key_hash VARCHAR(64) NOT NULL, 
	code BLOB NOT NULL, 
	needs_tx_code BOOLEAN NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (key_hash)
);
INSERT INTO "offer_key" VALUES('kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk',X'7365616C6564',1,1800000001000);
CREATE TABLE renewal (
	record_id VARCHAR(32) NOT NULL, 
	account_id VARCHAR(320) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	replaced_by VARCHAR(32), 
	PRIMARY KEY (record_id), 
	UNIQUE (token_hash)
);
INSERT INTO "renewal" VALUES('cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd','x@holder','rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr',1800000000009,NULL);
CREATE TABLE service_key (
	name VARCHAR(64) NOT NULL, 
	jwk BLOB NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "service_key" VALUES('request encryption',X'7365616C6564');
CREATE TABLE spent_nonce (
	nonce_hash VARCHAR(64) NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (nonce_hash)
);
INSERT INTO "spent_nonce" VALUES('nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn',1800000001000);
CREATE TABLE status_list (
	number INTEGER NOT NULL, 
	list_id VARCHAR(32) NOT NULL, 
	size INTEGER NOT NULL, 
	places BLOB NOT NULL, 
	used INTEGER NOT NULL, 
	statuses BLOB NOT NULL, 
	version BIGINT NOT NULL, 
	anchored_version BIGINT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (list_id)
);
INSERT INTO "status_list" VALUES(1,'11111111111111111111111111111111',8,X'0000000200000007000000010000000600000000000000040000000300000005',3,X'0000',1,0);
CREATE INDEX ix_offer_expires_at_ms ON offer (expires_at_ms);
CREATE INDEX ix_offer_key_expires_at_ms ON offer_key (expires_at_ms);
CREATE INDEX ix_authorization_forgotten_at_ms ON authorization (forgotten_at_ms);
CREATE INDEX ix_spent_nonce_expires_at_ms ON spent_nonce (expires_at_ms);
CREATE INDEX ix_credential_reference ON credential (reference);
CREATE INDEX credential_position ON credential (batch_id, position);
CREATE INDEX ix_credential_notification_hash ON credential (notification_hash);
CREATE INDEX credential_leaf ON credential (batch_id, leaf);
CREATE INDEX ix_enrolment_expires_at_ms ON enrolment (expires_at_ms);
COMMIT;
