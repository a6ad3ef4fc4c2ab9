package io.cortado.engine;

import static java.lang.System.Logger.Level.WARNING;

import io.cortado.api.DeviceRates;
import io.cortado.device.Curve;
import io.cortado.device.Device;
import io.cortado.device.DeviceInfo;
import io.cortado.device.Probe;
import io.cortado.device.Rate;
import io.cortado.device.RateMeter;
import java.io.IOException;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * The rates of a device: those that a file of the user's cache folder knows, and those that are
 * measured when they are asked for. One thread.
 */
final class RateBook {
    private static final System.Logger LOG = System.getLogger(RateBook.class.getName());

    private final DeviceInfo info;
    private final RateFile file;
    private final Function<Rate, Curve> meter;
    private final Map<String, Curve> known = new HashMap<>();
    private final String note;
    private Instant measured = Instant.now();
    private boolean isFromCache;
    private boolean isChanged;

    /**
     * @param again forgets what the file knows
     */
    static RateBook open(Device device, boolean again) {
        DeviceInfo info = device.info();
        RateFile file = RateFile.of(RateFile.folder(System::getenv), info, device.libraryDigest());
        return new RateBook(info, file, again, new RateMeter(device)::measure);
    }

    RateBook(DeviceInfo info, RateFile file, boolean again, Function<Rate, Curve> meter) {
        this.info = info;
        this.file = file;
        this.meter = meter;
        String problem = "";
        try {
            RateFile.Content content = again ? null : file.read();
            if (content != null) {
                known.putAll(content.curves());
                measured = content.measured();
                isFromCache = true;
            }
        } catch (IOException e) {
            problem = String.valueOf(e.getMessage());
        }
        note = problem;
    }

    /** Measured where it is not known. */
    Curve curve(Rate rate) {
        Curve found = known.get(rate.name());
        if (found == null) {
            found = meter.apply(rate);
            known.put(rate.name(), found);
            isChanged = true;
        }
        return found;
    }

    /** Keeps what was measured; that it cannot be kept is only logged. */
    void save() {
        if (!isChanged) {
            return;
        }
        try {
            file.write(new RateFile.Content(measured, known));
            isChanged = false;
        } catch (IOException e) {
            LOG.log(WARNING, "the rates of {0} are not kept: {1}", info.name(), e.toString());
        }
    }

    /** The basic ones, for people. */
    DeviceRates summary() {
        return new DeviceRates(
                info.describe(),
                info.processor(),
                info.threads(),
                measured,
                isFromCache,
                file.path(),
                note,
                value(new Rate.Peak(Probe.READ_BANDWIDTH)),
                value(new Rate.Peak(Probe.BF16_FLOPS)),
                value(new Rate.Peak(Probe.F32_FLOPS)),
                value(new Rate.Overhead(true)) * 1e6,
                value(new Rate.Turnaround()) * 1e6);
    }

    private double value(Rate rate) {
        return curve(rate).at(1);
    }
}
