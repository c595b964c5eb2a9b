package race;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;

/** The fields that the jobs use, read by Jackson's streaming parser into an object that is used again: every byte is checked, nothing else is built. */
public final class Event {
  public String type, user, ad;
  public String auction, channel, url; // of bids in Nexmark; the bidder is the user
  public long time, price;

  private static final JsonFactory JSON = new JsonFactory();

  public Event read(byte[] text) throws IOException {
    type = user = ad = auction = channel = url = null;
    time = price = 0;
    try (JsonParser parser = JSON.createParser(text)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new IOException("not an object");
      object(parser);
    }
    return this;
  }

  private void object(JsonParser parser) throws IOException {
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      JsonToken value = parser.nextToken();
      switch (name) {
        case "event_type": type = parser.getText(); break;
        case "user_id": user = parser.getText(); break;
        case "ad_id": ad = parser.getText(); break;
        case "timestamp": time = parser.getLongValue(); break;
        case "auction": auction = parser.getText(); break;
        case "price": price = parser.getLongValue(); break;
        case "channel": channel = parser.getText(); break;
        case "url": url = parser.getText(); break;
        case "properties": object(parser); break;
        default: if (value.isStructStart()) parser.skipChildren();
      }
    }
  }

  public boolean isBid() { return "bid".equals(type); }

  /** What a query of Nexmark counts by. */
  public String key(String query) {
    switch (query) {
      case "q5": return auction;
      case "q7": return "";
      case "q18": return user + "/" + auction;
      default: return user;
    }
  }

  /** A bid as the result of q0, with its price in euros of q1. */
  public String bid(boolean euros) {
    return auction + "," + channel + "," + url + "," + user + "," + time + "," + (euros ? (long) (price * 0.908) : price);
  }

  /** AD,CAMPAIGN lines. */
  public static HashMap<String, String> campaigns(String path) throws IOException {
    HashMap<String, String> campaigns = new HashMap<>();
    for (String line : Files.readAllLines(Path.of(path))) {
      int comma = line.indexOf(',');
      campaigns.put(line.substring(0, comma), line.substring(comma + 1));
    }
    return campaigns;
  }
}
