BEGIN TRANSACTION;
CREATE TABLE signed_credential (
	record_id VARCHAR(32) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	signed_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (record_id)
);
INSERT INTO "signed_credential" VALUES('abababababababababababababababab','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',1800000000000);
CREATE INDEX ix_signed_credential_signed_at_ms ON signed_credential (signed_at_ms);
COMMIT;
