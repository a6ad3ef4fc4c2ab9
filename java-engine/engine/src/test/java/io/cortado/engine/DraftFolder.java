package io.cortado.engine;

final class DraftFolder {
    static String path() {
        return "/work/shared/models/demo-draft";
    }
}
