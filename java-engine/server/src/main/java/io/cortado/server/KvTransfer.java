package io.cortado.server;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code kv_transfer_params}, by which a router that separates prefill from decoding tells one
 * server to fetch the keys and values of a prompt from another. This server does not: it computes
 * the prompt itself, which gives the same answer later. So it takes the object, and gives it back
 * in a whole answer with both directions off, as vLLM's field of that name: whoever is handed it
 * next computes too, and waits for nobody. A stream does not give it back, as at vLLM.
 */
final class KvTransfer {
    private static final String FIELD = "kv_transfer_params";
    private static final String[] DIRECTIONS = {"do_remote_prefill", "do_remote_decode"};

    private KvTransfer() {}

    /** The JSON to give back; null: the request has no such field. */
    static @Nullable String read(Fields fields) {
        Fields params = fields.object(FIELD);
        if (params == null) {
            return null;
        }
        ObjectNode told = params.raw().deepCopy();
        for (String direction : DIRECTIONS) {
            params.bool(direction, false); // checks it
            told.put(direction, false);
        }
        return told.toString();
    }
}
