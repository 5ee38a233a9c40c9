BEGIN TRANSACTION;
CREATE TABLE escrow_account_binding (
	account VARCHAR(288) NOT NULL, 
	handle VARCHAR(32) NOT NULL, 
	bound_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (account)
);
INSERT INTO "escrow_account_binding" VALUES('x@holder','hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh',1800000000000);
CREATE TABLE escrow_deposit (
	handle VARCHAR(32) NOT NULL, 
	epoch BIGINT NOT NULL, 
	is_active BOOLEAN NOT NULL, 
	statement VARCHAR NOT NULL, 
	sealed_share BLOB, 
	backup_version INTEGER NOT NULL, 
	backup BLOB NOT NULL, 
	backup_stored_ms BIGINT NOT NULL, 
	previous_version INTEGER, 
	previous_backup BLOB, 
	PRIMARY KEY (handle, epoch), 
	FOREIGN KEY(handle) REFERENCES escrow_holder (handle)
);
INSERT INTO "escrow_deposit" VALUES('hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh',1800000000000,1,'eyJ',X'7368617265',1,X'6261636B7570',1800000000000,NULL,NULL);
CREATE TABLE escrow_holder (
	handle VARCHAR(32) NOT NULL, 
	account VARCHAR(288), 
	attempts INTEGER NOT NULL, 
	last_attempt_ms BIGINT NOT NULL, 
	withdraw_at_ms BIGINT, 
	log_sequence INTEGER NOT NULL, 
	log_hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (handle)
);
INSERT INTO "escrow_holder" VALUES('hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh','x@holder',4,1800000000000,NULL,1,'fabd6ed2559e8f62e1c0c784f6cb229849408520ec31cea2cea945ae17cf42dc');
CREATE TABLE escrow_log (
	handle VARCHAR(32) NOT NULL, 
	sequence INTEGER NOT NULL, 
	time_ms BIGINT NOT NULL, 
	event VARCHAR(64) NOT NULL, 
	caller VARCHAR(16) NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	PRIMARY KEY (handle, sequence), 
	FOREIGN KEY(handle) REFERENCES escrow_holder (handle)
);
INSERT INTO "escrow_log" VALUES('hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh',1,1800000000000,'deposited','card','0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE escrow_spent_token (
	token_hash VARCHAR(64) NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (token_hash)
);
INSERT INTO "escrow_spent_token" VALUES('3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0',1800000001000);
CREATE INDEX ix_escrow_holder_withdraw_at_ms ON escrow_holder (withdraw_at_ms);
CREATE INDEX ix_escrow_holder_account ON escrow_holder (account);
CREATE INDEX ix_escrow_spent_token_expires_at_ms ON escrow_spent_token (expires_at_ms);
COMMIT;
