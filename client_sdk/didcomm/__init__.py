"""DIDComm Messaging 2.1: messages, encrypted for peer DIDs, over HTTP."""
