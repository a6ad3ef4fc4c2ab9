package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TokenIdsTest {
    @Test
    void answersLikeAMap() {
        var random = new Random(5);
        var ids = new TokenIds();
        var map = new LinkedHashMap<String, Integer>();
        for (int i = 0; i < 20_000; i++) {
            String token = Integer.toString(random.nextInt(12_000), 3);
            int id = random.nextInt(1 << 24);
            Integer before = map.put(token, id);
            assertEquals(before == null ? TokenIds.ABSENT : before, ids.put(token, id), token);
        }
        assertEquals(map.size(), ids.size());
        var seen = new HashMap<String, Integer>();
        ids.forEach(seen::put);
        assertEquals(map, seen);
        int place = 0;
        for (int n = 0; n < 12_000; n++) {
            String token = Integer.toString(n, 3);
            char[] text = ("x" + token + "y").toCharArray();
            int expected = map.getOrDefault(token, TokenIds.ABSENT);
            assertEquals(expected, ids.find(token), token);
            int near = ids.placeNear(place, text, 1, text.length - 1);
            assertEquals(near, ids.place(text, 1, text.length - 1), token);
            place = Math.max(0, near);
        }
        assertEquals(7, ids.find("", 7));
        assertEquals(TokenIds.ABSENT, ids.put("", 9));
        assertEquals(9, ids.find(""));
    }

    @Test
    void planesWithoutCharactersAreAllAlike() {
        for (int c = 0x4_0000; c < 0xE_0000; c++) {
            assertEquals(Character.UNASSIGNED, Character.getType(c));
        }
    }
}
