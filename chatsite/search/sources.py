"""What is entered into the index, as SQL that both databases understand: each narrowed by what is put behind it."""

PART = 100_000  # characters; PostgreSQL takes no more than a megabyte of words from one text
MOST_PARTS = 100  # of the longest message that there can be

ENTER = "INSERT INTO search_entry (user_id, conversation_id, message_id, attachment_id, part, text)"
TITLES = "SELECT c.user_id, c.id, NULL, NULL, 0, c.title FROM chat_conversation c WHERE c.title <> ''"
# {parts} is a table p with the numbers of all parts that there can be.
MESSAGES = (
    f"SELECT c.user_id, c.id, m.id, NULL, p.part, substr(m.text, p.part * {PART} + 1, {PART}) FROM chat_message m "
    "JOIN chat_conversation c ON c.id = m.conversation_id JOIN {parts} "
    f"ON p.part * {PART} < length(m.text) WHERE 1 = 1"
)
ANSWERS = (
    f"SELECT c.user_id, c.id, m.id, NULL, p.part, substr(a.text, p.part * {PART} + 1, {PART}) "
    "FROM workers_completion a JOIN chat_message m ON m.id = a.reply_id "
    "JOIN chat_conversation c ON c.id = m.conversation_id JOIN {parts} "
    f"ON p.part * {PART} < length(a.text) WHERE a.finished_at IS NOT NULL"
)
# The name of a file stands above its text.
_FILE = "(f.name || '\n' || f.text)"
FILES = (
    f"SELECT c.user_id, c.id, f.message_id, f.id, p.part, substr({_FILE}, p.part * {PART} + 1, {PART}) "
    "FROM documents_attachment f JOIN chat_conversation c ON c.id = f.conversation_id JOIN {parts} "
    f"ON p.part * {PART} < length({_FILE}) WHERE f.message_id IS NOT NULL"
)
