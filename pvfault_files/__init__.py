"""Files of readings as people have them: from what a logger writes to readings, or to a question.

`reader.read_files` is the way in, `choices.Choices` what its caller decides, `inspection.inspect_files` what is shown
of a file before it is judged. A form of file is found by itself where there is one reading of it, and asked about
where there are two.
"""
