"""The parts of the HTML report: elements, texts, sections, drawings, style and script."""
