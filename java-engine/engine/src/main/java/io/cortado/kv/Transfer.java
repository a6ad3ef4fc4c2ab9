package io.cortado.kv;

/** The way of one block between host memory and the disk. */
public final class Transfer {
    /** Where the bytes go. */
    public enum Kind {
        TO_DISK,
        FROM_DISK
    }

    private final Kind kind;
    private final int hostBlock;
    private final int diskBlock;
    private final long after;
    private boolean hasEnded;

    /**
     * @param after the step that must have run before
     */
    Transfer(Kind kind, int hostBlock, int diskBlock, long after) {
        this.kind = kind;
        this.hostBlock = hostBlock;
        this.diskBlock = diskBlock;
        this.after = after;
    }

    public Kind kind() {
        return kind;
    }

    public int hostBlock() {
        return hostBlock;
    }

    public int diskBlock() {
        return diskBlock;
    }

    long after() {
        return after;
    }

    boolean hasEnded() {
        return hasEnded;
    }

    void end() {
        hasEnded = true;
    }
}
