"""Sans I/O: builds commands and parses replies. No redis, no asyncio, no threads, no clock."""
