"""The card reader of one desk: it lets a My Number card prove itself to the issuer's page."""
