package io.cortado.server;

/** Where the server listens. */
record ServerOptions(String host, int port) {}
