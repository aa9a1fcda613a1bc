//! Writes word vectors: GloVe's text, word2vec's binary.

use std::io::Write;

use crate::{Error, Result, WordVectors};

impl WordVectors {
    /// Writes GloVe's text format: one line `word v1 ... vD` per word, in order, without a header. Values are the
    /// shortest decimals that parse to the same f32.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write_text(&self, out: &mut impl Write) -> Result<()> {
        let mut line = Vec::new();
        for (word, row) in self.iter() {
            line.clear();
            line.extend_from_slice(word.as_bytes());
            for value in row {
                write!(line, " {value}")?;
            }
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    }

    /// Writes word2vec's binary format: the header `N D`, then each word's text, a space, D little-endian f32 and
    /// a line feed.
    ///
    /// # Errors
    /// A word with a space or tab, which this format does not support; errors of the writer.
    pub fn write_binary(&self, out: &mut impl Write) -> Result<()> {
        if let Some((word, _)) = self.iter().find(|(word, _)| word.contains([' ', '\t'])) {
            let problem =
                "word2vec's binary format does not support words with white space; write the text format"
                    .to_owned();
            return Err(Error::Word { word: word.to_owned(), problem });
        }
        writeln!(out, "{} {}", self.len(), self.dimension())?;
        let mut record = Vec::new();
        for (word, row) in self.iter() {
            record.clear();
            record.extend_from_slice(word.as_bytes());
            record.push(b' ');
            for value in row {
                record.extend_from_slice(&value.to_le_bytes());
            }
            record.push(b'\n');
            out.write_all(&record)?;
        }
        Ok(())
    }
}
