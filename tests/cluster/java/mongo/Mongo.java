import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

/** Serves on the address and the port that are its arguments. */
class Mongo {
    public static void main(String[] arguments) {
        new MongoServer(new MemoryBackend()).bind(arguments[0], Integer.parseInt(arguments[1]));
    }
}
