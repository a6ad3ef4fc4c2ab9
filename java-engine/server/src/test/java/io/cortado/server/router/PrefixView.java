package io.cortado.server.router;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Which beginnings of prompts a replica holds, as its KV events tell it. */
final class PrefixView {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    /** Stands for what is before a prompt. */
    private static final String START = "";

    /** A block is found by what is before it and its tokens: nobody else's hashes are computed. */
    private record Place(String parent, List<Integer> tokens) {}

    private final Map<Place, String> blocks = new HashMap<>();
    private final Map<String, Place> places = new HashMap<>();
    private final Map<String, Set<String>> mediums = new HashMap<>();
    private String lastEventId = "";
    private String instance = "";
    private int blockSize = 1;
    private long next;
    private long missed;

    /** Takes one line of the stream of events. */
    synchronized void line(String line) {
        if (line.startsWith("id: ")) {
            lastEventId = line.substring(4);
        } else if (line.startsWith("data: ")) {
            event(MAPPER.readTree(line.substring(6)));
        }
    }

    private void event(JsonNode event) {
        String type = event.get("type").stringValue();
        if (type.equals("Opened")) {
            opened(event);
            return;
        }
        long number = event.get("seq").longValue();
        if (number > next && !type.equals("EventsMissed")) {
            forget(number - next); // events were lost on the way
        }
        next = number + 1;
        switch (type) {
            case "BlockStored" -> stored(event);
            case "BlockRemoved" -> event.get("block_hashes").forEach(hash -> removed(event, hash));
            case "AllBlocksCleared" -> forget(0);
            case "EventsMissed" -> {
                forget(event.get("count").longValue());
                next = number + event.get("count").longValue();
            }
            default -> throw new IllegalStateException("unknown event: " + event);
        }
    }

    private void opened(JsonNode event) {
        blockSize = event.get("block_size").intValue();
        String now = event.get("instance").stringValue();
        if (!now.equals(instance)) { // it has started anew, and holds nothing that we know
            forget(0);
            next = 0;
            instance = now;
        }
    }

    private void forget(long count) {
        missed += count;
        blocks.clear();
        places.clear();
        mediums.clear();
    }

    private void stored(JsonNode event) {
        String hash = event.get("block_hashes").get(0).stringValue();
        JsonNode parent = event.get("parent_block_hash");
        List<Integer> tokens =
                event.get("token_ids").valueStream().map(JsonNode::intValue).toList();
        Place place = new Place(parent.isNull() ? START : parent.stringValue(), tokens);
        blocks.put(place, hash);
        places.put(hash, place);
        mediums.computeIfAbsent(hash, _ -> new HashSet<>()).add(event.get("medium").stringValue());
    }

    private void removed(JsonNode event, JsonNode hash) {
        String key = hash.stringValue();
        Set<String> where = mediums.get(key);
        if (where != null && where.remove(event.get("medium").stringValue()) && where.isEmpty()) {
            mediums.remove(key);
            blocks.remove(Objects.requireNonNull(places.remove(key)));
        }
    }

    /** Tokens of a prompt's beginning that need no computation there. */
    synchronized int held(int[] prompt) {
        String parent = START;
        int held = 0;
        while (held + blockSize <= prompt.length) {
            List<Integer> tokens = Arrays.stream(prompt, held, held + blockSize).boxed().toList();
            String hash = blocks.get(new Place(parent, tokens));
            if (hash == null) {
                return held;
            }
            parent = hash;
            held += blockSize;
        }
        return held;
    }

    synchronized String lastEventId() {
        return lastEventId;
    }

    /** Number of the event that comes next. */
    synchronized long next() {
        return next;
    }

    /** Events that were lost. */
    synchronized long missed() {
        return missed;
    }
}
