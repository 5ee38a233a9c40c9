"""What is kept from everybody else: sealed to a public key, or in a file under a passphrase."""
