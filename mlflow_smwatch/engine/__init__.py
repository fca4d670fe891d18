"""The engine: jobs are found, admitted, read and written, page by page, each on its own."""
